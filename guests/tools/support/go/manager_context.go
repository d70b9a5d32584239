package airlock

import (
	"os"
	"path/filepath"

	context "airlock/imports/airlock_io_context"
)

// OutputContext is what the host tells of the output that is stored, and what it is told of it.
type OutputContext struct{ raw *context.OutputContext }

// Raw has all methods of the contract.
func (output *OutputContext) Raw() *context.OutputContext { return output.raw }

// PartitionKeys of the call; none where the output has no partitions.
func (output *OutputContext) PartitionKeys() []string { return partitionKeys(output.raw) }

// File is the path of a part below Data, whose directory is made.
func (output *OutputContext) File(partKey, extension string) (string, error) {
	path := output.raw.Path(key(partKey), extension)
	if err := failure(path); err != nil {
		return "", err
	}
	file := filepath.Join(Data, path.Ok())
	return file, os.MkdirAll(filepath.Dir(file), 0o777)
}

// Config is the configuration of the manager, a JSON object.
func (output *OutputContext) Config() string { return output.raw.Config() }

// AddMetadata records facts of what is stored, each label once.
func (output *OutputContext) AddMetadata(entries ...Entry) error {
	raw, err := rawEntries(entries)
	if err != nil {
		return err
	}
	return failure(output.raw.AddMetadata(raw))
}

// InputContext is what the host tells of the input that is loaded.
type InputContext struct{ raw *context.InputContext }

// Raw has all methods of the contract.
func (input *InputContext) Raw() *context.InputContext { return input.raw }

// PartitionKeys of the call; none where the input has no partitions.
func (input *InputContext) PartitionKeys() []string { return partitionKeys(input.raw) }

// AllowMissing tells whether absent partitions may be left out.
func (input *InputContext) AllowMissing() bool { return input.raw.AllowMissing() }

// File is the path of a part below Data.
func (input *InputContext) File(partKey, extension string) (string, error) {
	path := input.raw.Path(key(partKey), extension)
	if err := failure(path); err != nil {
		return "", err
	}
	return filepath.Join(Data, path.Ok()), nil
}

// Config is the configuration of the manager, a JSON object.
func (input *InputContext) Config() string { return input.raw.Config() }

// StoredMetadata is what is recorded of a stored part; nothing where nothing is.
func (input *InputContext) StoredMetadata(partKey string) []Entry {
	stored, present := input.raw.Upstream(key(partKey)).Get()
	if !present {
		return nil
	}
	defer stored.Drop()
	var entries []Entry
	for _, raw := range stored.StoredMetadata() {
		entries = append(entries, Entry{raw.Label, anyValue(raw.Value)})
	}
	return entries
}
