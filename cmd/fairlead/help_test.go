package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/internal/testkit"
)

// each walks through all commands.
func each(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, c := range cmd.Commands() {
		each(c, do)
	}
}

func help(t testing.TB, args ...string) string {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(append(args, "--help"))
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestHelp_OfTheRootIsTheFirstThingRead(t *testing.T) {
	t.Parallel()
	testkit.Golden(t, "help.txt", []byte(help(t)))
}

func TestHelp_HasAnExampleAndFitsTheTerminal(t *testing.T) {
	t.Parallel()
	each(newRoot(), func(cmd *cobra.Command) {
		t.Run(strings.ReplaceAll(cmd.CommandPath(), " ", "_"), func(t *testing.T) {
			t.Parallel()
			text := help(t, strings.Fields(cmd.CommandPath())[1:]...)
			if !strings.Contains(text, "Examples:\n") {
				t.Errorf("no example in:\n%s", text)
			}
			for line := range strings.Lines(text) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > maxWidth {
					t.Errorf("%d characters: %s", n, line)
				}
			}
		})
	})
}

// commandLine finds `fairlead …` in examples and in the README's code.
var commandLine = regexp.MustCompile(`(?m)(?:^|[(|` + "`" + `])\s*(?:\./bin/)?fairlead ([^|)>\n` + "`" + `]*)`)

// checkExamples holds each command line in text against the commands and flags that
// there are.
func checkExamples(t testing.TB, text string) (found int) {
	t.Helper()
	for _, match := range commandLine.FindAllStringSubmatch(text, -1) {
		line, _, _ := strings.Cut(match[1], "   ") // then comes a remark
		line, _, _ = strings.Cut(line, " <")
		words := strings.Fields(line)
		cmd, rest, err := newRoot().Find(words)
		if err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		if !cmd.Runnable() && cmd.HasSubCommands() && len(rest) > 0 {
			t.Errorf("%q: there is no such command", line)
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		found++
	}
	return found
}

func TestHelp_ExamplesUseCommandsAndFlagsThatExist(t *testing.T) {
	t.Parallel()
	each(newRoot(), func(cmd *cobra.Command) {
		if checkExamples(t, cmd.Example) == 0 {
			t.Errorf("%s: no example that begins with fairlead", cmd.CommandPath())
		}
	})
}

// TestHelp_ScriptsReadJSON lists the commands whose answer is more than one word.
func TestHelp_ScriptsReadJSON(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"config check", "keys create", "keys list", "targets", "models", "requests", "version"} {
		cmd, _, err := newRoot().Find(strings.Fields(path))
		if err != nil {
			t.Fatal(err)
		}
		if cmd.Flags().Lookup("json") == nil {
			t.Errorf("%s has no --json", path)
		}
	}
}

func readme(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testkit.Root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestReadme_NamesCommandsThatExist(t *testing.T) {
	t.Parallel()
	text := readme(t)
	if found := checkExamples(t, text); found < 5 {
		t.Errorf("only %d command lines were found in the README", found)
	}
	// Every command is in the README's table, too.
	for _, cmd := range newRoot().Commands() {
		if name := "fairlead " + cmd.Name(); cmd.IsAvailableCommand() && !strings.Contains(text, "`"+name) {
			t.Errorf("the README does not name `%s`", name)
		}
	}
}

func TestUp_SaysHowItWasCalled(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]string{
		"fairlead": "fairlead", filepath.Join("bin", "fairlead"): filepath.Join("bin", "fairlead"),
		filepath.Join(t.TempDir(), "fairlead"): "fairlead",
	} {
		if got := calledAs(arg); got != want {
			t.Errorf("%s: %s, want %s", arg, got, want)
		}
	}
}
