// Loads a Compose file with the specification's own loader, strictly: main FILE [ENV-FILE].
// Prints the services that it would start, a line each.
package main

import (
	"context"
	"fmt"
	"os"
	"sort"

	"github.com/compose-spec/compose-go/v2/cli"
)

func load(file string, envFiles []string) ([]string, error) {
	// Without the caller's environment: only the project's own is checked.
	options, err := cli.NewProjectOptions(
		[]string{file},
		cli.WithEnvFiles(envFiles...),
		cli.WithDotEnv,
		cli.WithDefaultProfiles(),
	)
	if err != nil {
		return nil, err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return nil, err
	}
	var names []string
	for name, service := range project.Services {
		if service.GetScale() > 0 {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names, nil
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: compose FILE [ENV-FILE]")
		os.Exit(2)
	}
	names, err := load(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, name := range names {
		fmt.Println(name)
	}
}
