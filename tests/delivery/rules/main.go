// Read files of alert rules as Prometheus does, with its own parser, and print what is wrong.
package main

import (
	"fmt"
	"os"

	"github.com/prometheus/prometheus/model/rulefmt"
)

func main() {
	failed := false
	for _, path := range os.Args[1:] {
		_, problems := rulefmt.ParseFile(path, false)
		for _, problem := range problems {
			fmt.Fprintln(os.Stderr, problem)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}
