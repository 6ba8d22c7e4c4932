package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/internal/auth"
)

func keysCommand(r *reach) *cobra.Command {
	cmd := &cobra.Command{
		Use: "keys", Short: "Create, list and revoke keys",
		Long:    "Keys are stored hashed and shown once. Changes take effect at once on the running server.",
		Example: "  fairlead keys create app\n  fairlead keys list\n  fairlead keys revoke app",
	}
	r.flags(cmd)
	cmd.AddCommand(keysCreate(r), keysList(r), keysRevoke(r))
	return cmd
}

func keysCreate(r *reach) *cobra.Command {
	var scopes []string
	var project string
	var lives time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Create a key and print its secret, this once",
		Example: "  fairlead keys create app --expires 720h\n  fairlead keys create ops --scope admin",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			body := map[string]any{"name": args[0], "project": project, "scopes": scopes}
			if lives > 0 {
				body["expires"] = time.Now().Add(lives).UTC().Truncate(time.Second)
			}
			var made struct {
				Key    auth.Key `json:"key"`
				Secret string   `json:"secret"`
			}
			if err := c.call(cmd.Context(), http.MethodPost, "/api/keys", body, &made); err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), made)
			}
			fmt.Fprintln(cmd.OutOrStdout(), made.Secret)
			fmt.Fprintln(os.Stderr, dim("the secret of key "+made.Key.Name+" is not stored: keep it now"))
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, "`scope` of the key: admin may read all, and use console and commands")
	cmd.Flags().StringVar(&project, "project", "", "`name` of the project that the key belongs to")
	cmd.Flags().DurationVar(&lives, "expires", 0, "how long it works, e.g. 720h (default: until it is revoked)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	completeFlag(cmd, "scope", cobra.FixedCompletions([]string{"admin"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func keysList(r *reach) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List keys, without their secrets", Example: "  fairlead keys list --json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			var list struct {
				Data []auth.Key `json:"data"`
			}
			if err := c.get(cmd.Context(), "/api/keys", &list); err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), list.Data)
			}
			now := time.Now()
			var rows [][]string
			for _, k := range list.Data {
				state := "open"
				switch {
				case !k.Revoked.IsZero():
					state = "revoked"
				case !k.Usable(now):
					state = "expired"
				}
				ends := "–"
				if !k.Expires.IsZero() {
					ends = k.Expires.Local().Format(time.DateOnly)
				}
				rows = append(rows, []string{short(k.Name, 20), state, orDash(k.Prefix), short(orDash(strings.Join(k.Scopes, ",")), 10), ends, short(k.ID, 32)})
			}
			if len(rows) == 0 {
				fmt.Fprintln(os.Stderr, "there is no key yet: `fairlead keys create NAME` makes one")
				return nil
			}
			return table(cmd.OutOrStdout(), []string{"NAME", "STATE", "STARTS", "SCOPES", "ENDS", "ID"}, rows)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func keysRevoke(r *reach) *cobra.Command {
	return &cobra.Command{
		Use: "revoke NAME|ID", Short: "Revoke a key at once: its next request is refused", Example: "  fairlead keys revoke app",
		Args: cobra.ExactArgs(1), ValidArgsFunction: one(completeNames(r, openKeys)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			var gone struct {
				Key auth.Key `json:"key"`
			}
			if err := c.call(cmd.Context(), http.MethodDelete, "/api/keys/"+url.PathEscape(args[0]), nil, &gone); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "revoked", gone.Key.Name, gone.Key.ID)
			return err
		},
	}
}
