package airlock

import (
	"fmt"

	types "airlock/imports/airlock_io_types"
	wit "airlock/wit/types"
)

// Entry is an entry of metadata. Its value is nil, a bool, an int, an int64, a float64, a string, a JSON or a Tagged. What the
// host tells is never an int.
type Entry struct {
	Label string
	Value any
}

// JSON is a JSON document.
type JSON string

// Tagged is a text of a further kind: url, path, markdown, …
type Tagged struct{ Kind, Text string }

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
	case int:
		return types.MakeMetadataValueInt(int64(value)), nil
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
