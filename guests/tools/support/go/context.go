package airlock

import (
	"fmt"
	"os"
	"path/filepath"

	context "airlock/imports/airlock_io_context"
	types "airlock/imports/airlock_io_types"
	wit "airlock/wit/types"
)

// Entry is an entry of metadata. Its value is nil, a bool, an int64, a float64, a string, a JSON or a Tagged.
type Entry struct {
	Label string
	Value any
}

// JSON is a JSON document.
type JSON string

// Tagged is a text of a further kind: url, path, markdown, …
type Tagged struct{ Kind, Text string }

// PartitionKeys that are asked for at once.
const page = 1000

// partitioned is what both contexts say of partitions.
type partitioned interface {
	PartitionCount() uint32
	PartitionKeys(offset, max uint32) []string
}

func partitionKeys(context partitioned) []string {
	count := context.PartitionCount()
	keys := make([]string, 0, count)
	for offset := uint32(0); offset < count; offset += page {
		keys = append(keys, context.PartitionKeys(offset, page)...)
	}
	return keys
}

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

func rawEntries(entries []Entry) ([]types.MetadataEntry, error) {
	raw := make([]types.MetadataEntry, 0, len(entries))
	for _, entry := range entries {
		value, err := rawValue(entry.Value)
		if err != nil {
			return nil, fmt.Errorf("metadata %q: %w", entry.Label, err)
		}
		raw = append(raw, types.MetadataEntry{Label: entry.Label, Value: value})
	}
	return raw, nil
}

func rawValue(value any) (types.MetadataValue, error) {
	switch value := value.(type) {
	case nil:
		return types.MakeMetadataValueNull(), nil
	case bool:
		return types.MakeMetadataValueBoolean(value), nil
	case int64:
		return types.MakeMetadataValueInt(value), nil
	case float64:
		return types.MakeMetadataValueFloat(value), nil
	case string:
		return types.MakeMetadataValueText(value), nil
	case JSON:
		return types.MakeMetadataValueJson(string(value)), nil
	case Tagged:
		return types.MakeMetadataValueTagged(wit.Tuple2[string, string]{F0: value.Kind, F1: value.Text}), nil
	default:
		return types.MetadataValue{}, Other("metadata", "a %T is no value of metadata", value)
	}
}

func anyValue(value types.MetadataValue) any {
	switch value.Tag() {
	case types.MetadataValue_Boolean:
		return value.Boolean()
	case types.MetadataValue_Int:
		return value.Int()
	case types.MetadataValue_Float:
		return value.Float()
	case types.MetadataValue_Text:
		return value.Text()
	case types.MetadataValue_Json:
		return JSON(value.Json())
	case types.MetadataValue_Tagged:
		tagged := value.Tagged()
		return Tagged{tagged.F0, tagged.F1}
	default:
		return nil
	}
}
