package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes, which scripts rely on.
const (
	exitOK          = 0
	exitFailed      = 1   // anything else went wrong
	exitUsage       = 2   // wrong flags or arguments
	exitConfig      = 3   // the configuration has mistakes
	exitUnreachable = 4   // no server answers
	exitRefused     = 5   // the server answered with an error
	exitInterrupted = 130 // stopped by the user
)

const exitHelp = `Exit codes: 0 done; 1 failed; 2 wrong flags or arguments; 3 mistakes in the configuration;
4 no server answers; 5 the server answered with an error; 130 interrupted.`

// exitError is an error with its exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// isUsage recognises what cobra itself says about flags and arguments.
func isUsage(err error) bool {
	for _, start := range [...]string{"unknown command", "unknown flag", "unknown shorthand", "accepts ", "requires ", "invalid argument", "flag needs", "required flag", "if any flags", "bad flag"} {
		if strings.HasPrefix(err.Error(), start) {
			return true
		}
	}
	return false
}

// execute runs the command that the arguments name. A word that a group such as
// keys does not know is a mistake; cobra alone would print the group's help and
// call that a success.
func execute(ctx context.Context, root *cobra.Command, args []string) (*cobra.Command, error) {
	cmd, rest, err := root.Find(args)
	if err == nil && !cmd.Runnable() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		text := fmt.Sprintf("unknown command %q for %q", rest[0], cmd.CommandPath())
		cmd.SuggestionsMinimumDistance = 2 // cobra's own
		if near := cmd.SuggestionsFor(rest[0]); len(near) > 0 {
			text += "\n\nDid you mean this?\n\t" + strings.Join(near, "\n\t") + "\n"
		}
		return cmd, usage("%s", text)
	}
	return root.ExecuteContextC(ctx)
}

// version is set by the linker; a plain build tells what the Go tool knows.
var version = ""

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

// build is what `fairlead version` tells.
type build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"` // "" where the build did not know
	Go      string `json:"go"`
	System  string `json:"system"`
}

func commit() string {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

func newRoot() *cobra.Command {
	r := new(reach)
	root := &cobra.Command{
		Use:   "fairlead",
		Short: "A hybrid AI inference gateway: one URL, many targets, every answer accounted for",
		Long: `Fairlead stands between your OpenAI client and the models that answer it. It decides where
each request runs, records what it cost, and says so in headers, in a log and on a console page.

` + exitHelp,
		Example: `  fairlead up                     start with what this machine has
  fairlead chat "hello"           talk to it
  fairlead requests --follow      watch`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	group(root, "Run", upCommand(r), chatCommand(r))
	group(root, "Look", requestsCommand(r), targetsCommand(r), modelsCommand(r), costCommand())
	group(root, "Set up", configCommand(), keysCommand(r))
	group(root, "More", versionCommand())
	root.SetHelpCommandGroupID("More")
	root.SetCompletionCommandGroupID("More")
	completionExamples(root)
	return root
}

// group adds commands that stand together in the help.
func group(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title + ":"})
	for _, c := range commands {
		c.GroupID = title
	}
	root.AddCommand(commands...)
}

// completionExamples puts an example into what cobra itself says of completion.
func completionExamples(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	completion, _, err := root.Find([]string{"completion"})
	if err != nil {
		panic(err) // it was added one line above
	}
	completion.Short = "Write the shell's completion script"
	completion.Example = "  source <(fairlead completion bash)"
	for _, shell := range completion.Commands() {
		shell.Example = "  fairlead completion " + shell.Name() + " > fairlead." + shell.Name()
	}
}

// writeJSON prints a value the way scripts read it.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version", Example: "  fairlead version --json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := build{versionText(), commit(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), b)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "fairlead %s (commit %s, %s, %s)\n", b.Version, orDash(b.Commit[:min(len(b.Commit), 12)]), b.Go, b.System)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
