// An op that gives the lines of its inputs, each with its number.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"airlock"
)

const (
	output   = "result"
	textType = "text/plain"
)

type op struct{}

func init() { airlock.Export(op{}) }

func main() {}

func (op) Run(context *airlock.OpContext) error {
	sink, err := context.Output(output)
	if err != nil {
		return err
	}
	defer sink.Close()
	part, err := sink.Begin("", textType)
	if err != nil {
		return err
	}
	writer := bufio.NewWriterSize(part, airlock.ChunkSize)
	var lines int
	for _, name := range context.Inputs() {
		if err := numberInput(context, name, writer, &lines); err != nil {
			return err
		}
	}
	if err := writer.Flush(); err != nil {
		return err
	}
	return context.AddOutputMetadata(output, airlock.Entry{Label: "lines", Value: lines})
}

// numberInput numbers an input, which has several parts where it is of several partitions.
func numberInput(context *airlock.OpContext, name string, writer io.Writer, lines *int) error {
	source, err := context.Input(name)
	if err != nil {
		return err
	}
	defer source.Close()
	for {
		part, err := source.Next()
		if err != nil || part == nil {
			return err
		}
		if mediaType := part.MediaType(); mediaType != textType {
			err = airlock.UnsupportedType("the input `%s` is of the type %s, and not %s", name, mediaType, textType)
		} else {
			err = numberPart(part, writer, lines)
		}
		part.Close()
		if err != nil {
			return err
		}
	}
}

// numberPart reads chunk by chunk. No more than a line is in memory.
func numberPart(part *airlock.Part, writer io.Writer, lines *int) error {
	reader := bufio.NewReaderSize(part, airlock.ChunkSize)
	for {
		line, err := reader.ReadBytes('\n')
		if len(line) > 0 {
			*lines++
			if _, err := fmt.Fprintf(writer, "%d\t%s\n", *lines, bytes.TrimSuffix(line, []byte("\n"))); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
