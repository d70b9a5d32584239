// Package call leads what the host calls to the op that was exported.
package call

import (
	run "airlock/imports/airlock_io_op_run"
	types "airlock/imports/airlock_io_types"
	wit "airlock/wit/types"
)

// Result is what the contract lets an op return.
type Result = wit.Result[wit.Unit, types.Error]

// Run is the exported op.
var Run func(*run.OpContext) Result
