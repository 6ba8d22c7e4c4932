package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config"
)

const defaultConfig = "fairlead.yaml"

func configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "Check a configuration, show it, print its JSON Schema",
		Example: "  fairlead config check\n  fairlead config schema > fairlead.schema.json",
	}
	cmd.AddCommand(configCheck(), configShow(), configSchema())
	return cmd
}

// loadConfig reads a file; its mistakes are printed all together.
func loadConfig(path string) (*config.Config, error) {
	prices, err := catalog.Load()
	if err != nil {
		return nil, err
	}
	from := config.System(prices)
	cfg, err := config.Load(path, from)
	if err != nil {
		return nil, &exitError{exitConfig, configError(err)}
	}
	for _, w := range cfg.Origin.Warnings {
		fmt.Fprintln(os.Stderr, "warning: "+w.String())
	}
	return cfg, nil
}

// configError puts a line above the mistakes that says how many there are.
func configError(err error) error {
	var problems config.Problems
	if !errors.As(err, &problems) {
		return err
	}
	if len(problems) == 1 {
		return fmt.Errorf("the configuration has a mistake:\n%w", err)
	}
	return fmt.Errorf("the configuration has %d mistakes:\n%w", len(problems), err)
}

func fileArgument(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	return defaultConfig
}

func configCheck() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "check [FILE]", Short: "Say what is wrong with a configuration, all at once",
		Example: "  fairlead config check fairlead.yaml", Args: cobra.MaximumNArgs(1), ValidArgsFunction: one(configFiles),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(fileArgument(args))
			if asJSON {
				return errors.Join(checkJSON(cmd.OutOrStdout(), cfg, err), err)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is valid: %s, %s, %s (hash %s)\n", fileArgument(args),
				count(len(cfg.Targets), "target"), count(len(cfg.Models), "model"), count(len(cfg.Keys), "key"), cfg.Hash())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// checked is the answer of `config check --json`.
type checked struct {
	Valid    bool            `json:"valid"`
	Hash     string          `json:"hash,omitempty"`
	Targets  int             `json:"targets"`
	Models   int             `json:"models"`
	Keys     int             `json:"keys"`
	Problems config.Problems `json:"problems"`
	Warnings config.Problems `json:"warnings"`
}

// checkJSON writes the mistakes where a script reads them; they are on stderr, too.
func checkJSON(w io.Writer, cfg *config.Config, err error) error {
	answer := checked{Problems: config.Problems{}, Warnings: config.Problems{}}
	switch {
	case errors.As(err, &answer.Problems):
	case err != nil:
		return nil //nolint:nilerr // there is no file to speak of, and the caller has the error
	default:
		answer.Valid, answer.Hash = true, cfg.Hash()
		answer.Targets, answer.Models, answer.Keys = len(cfg.Targets), len(cfg.Models), len(cfg.Keys)
		answer.Warnings = append(answer.Warnings, cfg.Origin.Warnings...)
	}
	return writeJSON(w, answer)
}

func configShow() *cobra.Command {
	return &cobra.Command{
		Use: "show [FILE]", Short: "Print the configuration with its defaults, without its secrets",
		Example: "  fairlead config show", Args: cobra.MaximumNArgs(1), ValidArgsFunction: one(configFiles),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(fileArgument(args))
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(cfg.Redacted())
			return err
		},
	}
}

func configSchema() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of fairlead.yaml, for editors",
		Example: "  fairlead config schema > fairlead.schema.json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(config.Schema())
			return err
		},
	}
}
