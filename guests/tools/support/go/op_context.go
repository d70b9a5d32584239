package airlock

import (
	run "airlock/imports/airlock_io_op_run"
)

// OpContext is what the host tells of the step that is computed, and what it is told of it.
type OpContext struct{ raw *run.OpContext }

// Raw has all methods of the contract.
func (op *OpContext) Raw() *run.OpContext { return op.raw }

// PartitionKeys of the step; none where it has no partitions.
func (op *OpContext) PartitionKeys() []string { return partitionKeys(op.raw) }

// Config is the configuration of the op, a JSON value.
func (op *OpContext) Config() string { return op.raw.Config() }

// Inputs are the names of the inputs.
func (op *OpContext) Inputs() []string { return op.raw.Inputs() }

// Input is the input of this name, whose parts are loaded as they are asked for. It must be closed.
func (op *OpContext) Input(name string) (*Source, error) {
	input := op.raw.Input(name)
	if err := failure(input); err != nil {
		return nil, err
	}
	return &Source{input.Ok()}, nil
}

// Output is the output of this name, which is skipped where nothing is begun in it. It must be closed.
func (op *OpContext) Output(name string) (*Sink, error) {
	output := op.raw.Output(name)
	if err := failure(output); err != nil {
		return nil, err
	}
	return &Sink{output.Ok()}, nil
}

// AddOutputMetadata records facts of an output, each label once.
func (op *OpContext) AddOutputMetadata(output string, entries ...Entry) error {
	raw, err := rawEntries(entries)
	if err != nil {
		return err
	}
	return failure(op.raw.AddOutputMetadata(output, raw))
}
