package airlock

import (
	"io"

	value "airlock/imports/airlock_io_value"
)

// Source is a value to read, part by part.
type Source struct{ raw *value.Source }

// Next is the next part, or nil at the end. It must be closed.
func (source *Source) Next() (*Part, error) {
	next := source.raw.Next()
	if err := failure(next); err != nil {
		return nil, err
	}
	reader, present := next.Ok().Get()
	if !present {
		return nil, nil
	}
	return &Part{reader}, nil
}

// Close gives the value back to the host. What is lent for a call is given back when that ends.
func (source *Source) Close() error {
	source.raw.Drop()
	return nil
}

// Part is one part of a value, read from its start.
type Part struct{ raw *value.Reader }

// Key is the partition key or mapping key of the part, or "".
func (part *Part) Key() string {
	key, _ := part.raw.Key().Get()
	return key
}

// MediaType is an IANA media type.
func (part *Part) MediaType() string { return part.raw.MediaType() }

// Size is that of the whole part in bytes.
func (part *Part) Size() uint64 { return part.raw.Size() }

// Read is that of io.Reader.
func (part *Part) Read(buffer []byte) (int, error) {
	if len(buffer) == 0 {
		return 0, nil
	}
	chunk, err := part.chunk(min(len(buffer), ChunkSize))
	if err != nil {
		return 0, err
	}
	if len(chunk) == 0 {
		return 0, io.EOF
	}
	return copy(buffer, chunk), nil
}

// WriteTo makes io.Copy pass the part on in chunks, without a buffer of its own.
func (part *Part) WriteTo(writer io.Writer) (size int64, err error) {
	for {
		chunk, err := part.chunk(ChunkSize)
		if err != nil || len(chunk) == 0 {
			return size, err
		}
		written, err := writer.Write(chunk)
		size += int64(written)
		if err != nil {
			return size, err
		}
	}
}

func (part *Part) chunk(size int) ([]byte, error) {
	chunk := part.raw.Read(uint32(size))
	if err := failure(chunk); err != nil {
		return nil, err
	}
	return chunk.Ok(), nil
}

// Save writes what is left to the file at path; the bytes never enter the guest.
func (part *Part) Save(path string) (uint64, error) {
	saved := part.raw.Save(path)
	if err := failure(saved); err != nil {
		return 0, err
	}
	return saved.Ok(), nil
}

// Close gives the part back to the host.
func (part *Part) Close() error {
	part.raw.Drop()
	return nil
}

// Sink is a value to write, part by part. A sink in which nothing is begun is an absent value.
type Sink struct{ raw *value.Sink }

// Begin begins a part with this key, or with none where it is "".
func (sink *Sink) Begin(partKey, mediaType string) (*PartWriter, error) {
	if err := failure(sink.raw.Begin(key(partKey), mediaType)); err != nil {
		return nil, err
	}
	return &PartWriter{sink.raw}, nil
}

// Close gives the value back to the host. What is lent for a call is given back when that ends.
func (sink *Sink) Close() error {
	sink.raw.Drop()
	return nil
}

// PartWriter writes the part that was begun last.
type PartWriter struct{ raw *value.Sink }

// Write is that of io.Writer.
func (writer *PartWriter) Write(bytes []byte) (int, error) {
	for written := 0; ; {
		if written == len(bytes) {
			return written, nil
		}
		end := min(written+ChunkSize, len(bytes))
		if err := failure(writer.raw.Write(bytes[written:end])); err != nil {
			return written, err
		}
		written = end
	}
}

// ReadFrom makes io.Copy read in chunks as large as the host takes them.
func (writer *PartWriter) ReadFrom(reader io.Reader) (size int64, err error) {
	buffer := make([]byte, ChunkSize)
	for {
		length, err := reader.Read(buffer)
		if length > 0 {
			if err := failure(writer.raw.Write(buffer[:length])); err != nil {
				return size, err
			}
			size += int64(length)
		}
		if err == io.EOF {
			return size, nil
		}
		if err != nil {
			return size, err
		}
	}
}

// Load appends the whole file at path; the bytes never enter the guest.
func (writer *PartWriter) Load(path string) (uint64, error) {
	loaded := writer.raw.Load(path)
	if err := failure(loaded); err != nil {
		return 0, err
	}
	return loaded.Ok(), nil
}
