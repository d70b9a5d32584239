// Package airlock is what an I/O manager in Go builds on. It is a type that implements Manager, in a program that exports it
// in an init function; main stays empty.
//
//	func init() { airlock.Export(manager{}) }
//
//	func main() {}
package airlock

import (
	_ "airlock/exports/wit_exports"
	context "airlock/imports/airlock_io_context"
	value "airlock/imports/airlock_io_value"
	"airlock/internal/call"
)

// Data is where the files of a value are lent, by convention.
const Data = "/data"

// Manager stores and loads values. Every call has an instance of its own: nothing is remembered from call to call. What a
// call writes to files becomes visible when it returns nil, and otherwise not at all.
//
// Errors may be those of this package, of which the host is told the kind, or any others; see AsError.
type Manager interface {
	Store(context *OutputContext, value *Source) error
	Load(context *InputContext, value *Sink) error
}

// Export makes a component of the manager.
func Export(manager Manager) {
	call.Store = func(output *context.OutputContext, source *value.Source) call.Result {
		return result(manager.Store(&OutputContext{output}, &Source{source}))
	}
	call.Load = func(input *context.InputContext, sink *value.Sink) call.Result {
		return result(manager.Load(&InputContext{input}, &Sink{sink}))
	}
}
