package export_airlock_io_output

import (
	context "airlock/imports/airlock_io_context"
	value "airlock/imports/airlock_io_value"
	"airlock/internal/call"
)

// HandleOutput is what the host calls. What is lent for the call is given back when it ends.
func HandleOutput(output *context.OutputContext, source *value.Source) call.Result {
	defer output.Drop()
	defer source.Drop()
	return call.Store(output, source)
}
