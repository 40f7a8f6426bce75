// Load a compose file as `docker compose` does, with its own library, and print it as JSON.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	options, err := cli.NewProjectOptions([]string{os.Args[1]},
		cli.WithEnvFiles(os.Args[2:]...), cli.WithDotEnv, cli.WithDefaultProfiles("*"))
	if err == nil {
		project, problem := options.LoadProject(context.Background())
		if err = problem; err == nil {
			var told []byte
			if told, err = project.MarshalJSON(); err == nil {
				fmt.Println(string(told))
				return
			}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
