// Turns CSV lines into JSON lines, one object a line. The arguments name the columns.
package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "csv2json:", err)
		os.Exit(1)
	}
}

func run(columns []string, in io.Reader, out io.Writer) error {
	if len(columns) == 0 {
		return fmt.Errorf("name the columns as arguments")
	}
	reader := csv.NewReader(bufio.NewReader(in))
	reader.FieldsPerRecord = len(columns)
	writer := bufio.NewWriter(out)
	encoder := json.NewEncoder(writer)
	for {
		record, err := reader.Read()
		if err == io.EOF {
			return writer.Flush()
		}
		if err != nil {
			return err
		}
		object := make(map[string]string, len(columns))
		for i, column := range columns {
			object[column] = record[i]
		}
		if err := encoder.Encode(object); err != nil {
			return err
		}
	}
}
