package airlock

import (
	types "airlock/imports/airlock_io_types"
	"airlock/internal/call"
	wit "airlock/wit/types"
)

// ChunkSize is the most bytes that the host takes or gives at once.
const ChunkSize = 1 << 20

func result(err error) call.Result {
	if err == nil {
		return wit.Ok[wit.Unit, types.Error](wit.Unit{})
	}
	return wit.Err[wit.Unit](AsError(err).raw)
}

// failure is the error of a result whose value is of no interest.
func failure[T any](result wit.Result[T, types.Error]) error {
	if result.IsErr() {
		return &Error{result.Err()}
	}
	return nil
}

// key is "" where a part has none; no key is empty.
func key(text string) wit.Option[string] {
	if text == "" {
		return wit.None[string]()
	}
	return wit.Some(text)
}

// page is how many partition keys are asked for at once.
const page = 1000

// partitioned is what all contexts say of partitions.
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
