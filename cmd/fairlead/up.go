package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/internal/app"
	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/engine"
)

// upFlags are what the command line says over a configuration.
type upFlags struct {
	config, listen string
	data           string // "" unless it was given
	setup          bool
}

func upCommand(r *reach) *cobra.Command {
	f := new(upFlags)
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the gateway",
		Long: `Starts the gateway with --config, else with fairlead.yaml in the working folder, else with what this
machine has: local servers that answer on their usual ports, the local engine, provider keys in the
environment. Prints the URL, the key and a curl that works. Ctrl-C or SIGTERM lets answers under way
end; SIGHUP, or a change of the file, reloads the configuration.`,
		Example: `  fairlead up
  fairlead up --setup             also get the local engine and a small model
  fairlead up --config prod.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, _, err := net.SplitHostPort(f.listen); f.listen != "" && err != nil {
				return usage("--listen %q is not an address: write host:port, such as 127.0.0.1:9000", f.listen)
			}
			if cmd.Flags().Changed("data") {
				f.data = r.data
			}
			return up(cmd.Context(), f, cmd.OutOrStdout())
		},
	}
	r.dataFlag(cmd)
	cmd.Flags().StringVar(&f.config, "config", "", "configuration `file` (default: fairlead.yaml, if it is there)")
	completeFlag(cmd, "config", configFiles)
	cmd.Flags().StringVar(&f.listen, "listen", "", "`address` instead of the configured one, e.g. 127.0.0.1:9000")
	cmd.Flags().BoolVar(&f.setup, "setup", false, "first get the local engine and a small model (about 150 MB, kept)")
	return cmd
}

func up(ctx context.Context, f *upFlags, out io.Writer) error {
	prices, err := catalog.Load()
	if err != nil {
		return err
	}
	from := config.System(prices)
	base := config.Default()
	f.override(base)
	if f.setup {
		if err := os.MkdirAll(base.Data, 0o700); err != nil {
			return err
		}
		if err := setup(ctx, app.EngineConfig(base)); err != nil {
			return err
		}
	}
	cfg, found, err := f.load(ctx, base, from)
	if err != nil {
		return err
	}
	log := logger(cfg)
	a, err := app.New(ctx, app.Options{Config: cfg, Sources: from, Adjust: f.override, Version: versionText(), Log: log})
	if err != nil {
		return err
	}
	defer func() {
		if err := a.Close(); err != nil {
			log.Error("the store did not close well", "error", err)
		}
	}()
	return a.Run(ctx, func(s app.Started) { banner(out, a, cfg, found, s) })
}

// override puts the flags over a configuration, also over a reloaded one.
func (f *upFlags) override(cfg *config.Config) {
	if f.listen != "" {
		cfg.Listen = f.listen
	}
	if f.data != "" {
		cfg.Data = f.data
	}
}

// load reads the configuration, or makes one of what the machine has.
func (f *upFlags) load(ctx context.Context, base *config.Config, from *config.Sources) (*config.Config, []config.Found, error) {
	path := f.config
	if path == "" {
		if _, err := os.Stat(defaultConfig); errors.Is(err, fs.ErrNotExist) {
			cfg, found, err := config.Discover(ctx, config.Discovery{From: from, Base: base, Probe: config.HTTPProbe(config.ProbeClient()), Engine: engineState(base)})
			return cfg, found, err
		}
		path = defaultConfig
	}
	cfg, err := config.Load(path, from)
	if err != nil {
		return nil, nil, &exitError{exitConfig, configError(err)}
	}
	for _, w := range cfg.Origin.Warnings {
		fmt.Fprintln(os.Stderr, "warning: "+w.String())
	}
	f.override(cfg)
	return cfg, nil, nil
}

// setup gets the local engine. A machine that cannot have it starts all the same.
func setup(ctx context.Context, cfg engine.Config) error {
	if _, err := engine.Find(cfg); err == nil {
		return nil
	}
	fmt.Fprintln(os.Stderr, "Getting the local engine into "+cfg.Dir+" (kept; `make clean-data` or removing the folder undoes it)")
	p := newProgress(os.Stderr)
	defer p.done()
	_, err := engine.Setup(ctx, cfg, p.step)
	if err != nil && ctx.Err() == nil {
		p.done()
		fmt.Fprintln(os.Stderr, "The local engine cannot be had here: "+err.Error())
		return nil
	}
	return err
}

func engineState(cfg *config.Config) func(context.Context) config.EngineState {
	return func(context.Context) config.EngineState {
		in, err := engine.Find(app.EngineConfig(cfg))
		if err != nil {
			return config.EngineState{Note: "not installed", Next: "`fairlead up --setup` gets it and a small model"}
		}
		return config.EngineState{Ready: true, Model: in.ModelName, Note: in.ModelName + " by " + in.How()}
	}
}

func logger(cfg *config.Config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Log.Level)) // the configuration was checked
	options := &slog.HandlerOptions{Level: level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

// banner fits one screen: what was found, where it listens, the key, a curl.
// It is written in one piece, for scripts that wait for its first line.
func banner(w io.Writer, a *app.App, cfg *config.Config, found []config.Found, s app.Started) {
	out := new(bytes.Buffer)
	defer func() { _, _ = w.Write(out.Bytes()) }() // a closed stdout is no reason not to serve
	fmt.Fprintf(out, "%s listens on %s\n", bold("Fairlead "+versionText()), bold(s.URL))
	var silent []string
	for _, f := range found {
		if f.Kind == "server" && !f.OK && f.Next == "" {
			silent = append(silent, f.Name)
			continue
		}
		mark := "○"
		if f.OK {
			mark = "●"
		}
		fmt.Fprintf(out, "  %s %s\n", mark, f)
	}
	if len(silent) > 0 {
		fmt.Fprintf(out, "  ○ nothing answers on the usual ports of %s\n", strings.Join(silent, ", "))
	}
	if found == nil {
		fmt.Fprintf(out, "  %s: %s, %s, %s\n", cfg.Origin.Path,
			count(len(cfg.Targets), "target"), count(len(cfg.Models), "model"), count(len(cfg.Keys), "key"))
	}
	key, about := keyText(cfg, a.FirstKey)
	fmt.Fprintf(out, "\n  key      %s", about)
	fmt.Fprintf(out, "\n  console  %s/console/   (sign in with the key)\n", s.URL)
	if name := firstName(cfg); name != "" {
		fmt.Fprintf(out, `
  curl %s/v1/chat/completions \
    -H "Authorization: Bearer %s" \
    -H "Content-Type: application/json" \
    -d '{"model": "%s", "max_tokens": 100,
         "messages": [{"role": "user", "content": "Say hello"}]}'
`, s.URL, key, name)
		fmt.Fprintf(out, "\nNow, in another terminal: %s chat%s \"hello\"\n", calledAs(os.Args[0]), dataFlag(cfg.Data))
		return
	}
	fmt.Fprintln(out, "\nThere is no target yet: `fairlead up --setup` gets a small local model, or name one in\nfairlead.yaml (the README has the shortest).")
}

// keyText is a key as a shell would write it, and what to say about it.
func keyText(cfg *config.Config, first string) (shell, about string) {
	if first != "" {
		return first, first + "   (kept in " + relative(filepath.Join(cfg.Data, auth.FirstKeyFile)) + ")"
	}
	if len(cfg.Keys) == 0 {
		return "YOUR_KEY", "one that you have; `fairlead keys create NAME" + dataFlag(cfg.Data) + "` makes another"
	}
	k := cfg.Keys[0]
	about = "that of " + k.Name + " in " + cfg.Origin.Path
	written := k.Secret.Reference()
	if path, ok := strings.CutPrefix(written, "file:"); ok {
		return "$(cat " + path + ")", about
	}
	if strings.HasPrefix(written, "${") {
		return written, about
	}
	return "YOUR_KEY", about
}

func firstName(cfg *config.Config) string {
	if len(cfg.Models) > 0 {
		return cfg.Models[0].Name
	}
	if len(cfg.Targets) > 0 {
		return cfg.Targets[0].Name
	}
	return ""
}

// calledAs is how the program can be called from the same folder. A newcomer has it
// in bin and not on the path.
func calledAs(arg string) string {
	if !strings.ContainsRune(arg, filepath.Separator) || filepath.IsAbs(arg) {
		return "fairlead"
	}
	return arg
}

// relative shortens a path below the working folder.
func relative(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return path
}

// dataFlag is what other commands need to find the server.
func dataFlag(data string) string {
	if rel := relative(data); rel != "data" {
		return " --data " + rel
	}
	return ""
}
