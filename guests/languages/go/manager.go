// An I/O manager that keeps each part of a value as a file.
package main

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"airlock"
)

const (
	extension = "bin"
	octets    = "application/octet-stream"
)

type manager struct{}

func init() { airlock.Export(manager{}) }

func main() {}

func (manager) Store(context *airlock.OutputContext, value *airlock.Source) error {
	keys := context.PartitionKeys()
	var parts int
	var size int64
	var mediaType, path string
	for ; ; parts++ {
		part, err := value.Next()
		if err != nil {
			return err
		}
		if part == nil {
			break
		}
		if parts == 0 {
			mediaType = part.MediaType()
		}
		written, file, err := storeNext(context, keys, part, mediaType)
		part.Close()
		if err != nil {
			return err
		}
		size += written
		path = file
	}
	entries := []airlock.Entry{{Label: "size", Value: size}}
	if parts > 0 {
		entries = append(entries, airlock.Entry{Label: "media_type", Value: mediaType})
	}
	if parts == 1 {
		entries = append(entries, airlock.Entry{Label: "path", Value: airlock.Tagged{Kind: "path", Text: path}})
	}
	return context.AddMetadata(entries...)
}

// storeNext writes one part to a file of its own, chunk by chunk, and gives its size and path.
func storeNext(context *airlock.OutputContext, keys []string, part *airlock.Part, mediaType string) (int64, string, error) {
	if part.MediaType() != mediaType {
		return 0, "", airlock.UnsupportedType("the parts of the value differ in their media types")
	}
	key := part.Key()
	if key == "" && len(keys) > 1 {
		return 0, "", airlock.UnsupportedType("one part without a key stands for %d partitions", len(keys))
	}
	if key == "" && len(keys) == 1 {
		key = keys[0]
	}
	path, err := context.File(key, extension)
	if err != nil {
		return 0, "", err
	}
	file, err := os.Create(path)
	if err != nil {
		return 0, "", err
	}
	size, err := io.Copy(file, part)
	return size, path, errors.Join(err, file.Close())
}

func (manager) Load(context *airlock.InputContext, value *airlock.Sink) error {
	keys := context.PartitionKeys()
	if len(keys) == 0 {
		keys = []string{""}
	}
	var missing []string
	for _, key := range keys {
		path, err := context.File(key, extension)
		if err != nil {
			return err
		}
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, key)
			continue
		}
		if err != nil {
			return err
		}
		err = loadPart(context, key, value, file)
		file.Close()
		if err != nil {
			return err
		}
	}
	if len(missing) == 0 || context.AllowMissing() {
		return nil
	}
	if missing[0] == "" {
		return airlock.NotFound()
	}
	return airlock.NotFound(missing...)
}

func loadPart(context *airlock.InputContext, key string, value *airlock.Sink, file *os.File) error {
	part, err := value.Begin(key, recordedMediaType(context, key))
	if err != nil {
		return err
	}
	_, err = io.Copy(part, file)
	return err
}

// recordedMediaType is the media type that is recorded of the stored part.
func recordedMediaType(context *airlock.InputContext, key string) string {
	for _, entry := range context.StoredMetadata(key) {
		if text, is := entry.Value.(string); is && entry.Label == "media_type" {
			return text
		}
	}
	return octets
}
