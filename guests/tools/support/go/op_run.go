package export_airlock_io_op

import (
	run "airlock/imports/airlock_io_op_run"
	"airlock/internal/call"
)

// Run is what the host calls. What is lent for the call is given back when it ends.
func Run(context *run.OpContext) call.Result {
	defer context.Drop()
	return call.Run(context)
}
