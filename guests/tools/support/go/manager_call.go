// Package call leads what the host calls to the manager that was exported.
package call

import (
	context "airlock/imports/airlock_io_context"
	types "airlock/imports/airlock_io_types"
	value "airlock/imports/airlock_io_value"
	wit "airlock/wit/types"
)

// Result is what the contract lets a manager return.
type Result = wit.Result[wit.Unit, types.Error]

// The exported manager.
var (
	Store func(*context.OutputContext, *value.Source) Result
	Load  func(*context.InputContext, *value.Sink) Result
)
