// Package airlock is what an op in Go builds on. It is a type that implements Op, in a program that exports it in an init
// function; main stays empty.
//
//	func init() { airlock.Export(op{}) }
//
//	func main() {}
package airlock

import (
	_ "airlock/exports/wit_exports"
	run "airlock/imports/airlock_io_op_run"
	"airlock/internal/call"
)

// Op computes the outputs of a step from its inputs. Every call has an instance of its own: nothing is remembered from call to
// call.
//
// Errors may be those of this package, of which the host is told the kind, or any others; see AsError.
type Op interface {
	Run(context *OpContext) error
}

// Export makes a component of the op.
func Export(op Op) {
	call.Run = func(context *run.OpContext) call.Result {
		return result(op.Run(&OpContext{context}))
	}
}
