package export_airlock_io_input

import (
	context "airlock/imports/airlock_io_context"
	value "airlock/imports/airlock_io_value"
	"airlock/internal/call"
)

// LoadInput is what the host calls. What is lent for the call is given back when it ends.
func LoadInput(input *context.InputContext, sink *value.Sink) call.Result {
	defer input.Drop()
	defer sink.Drop()
	return call.Load(input, sink)
}
