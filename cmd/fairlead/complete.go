package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/internal/auth"
)

// completeTime is how long a shell waits for names after the tab key.
const completeTime = time.Second

// completeNames makes a completion of the names that the running server knows.
// Without one nothing is proposed: files would be wrong in that place.
func completeNames(r *reach, names func(context.Context, *client) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
		c, err := r.client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
		defer cancel()
		all, err := names(ctx, c)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var fit []string
		for _, name := range all {
			if strings.HasPrefix(name, start) {
				fit = append(fit, name)
			}
		}
		return fit, cobra.ShellCompDirectiveNoFileComp
	}
}

// one proposes values for the first argument only.
func one(next cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return next(cmd, args, start)
	}
}

// configFiles lets the shell propose configuration files.
func configFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}

// offered gives the names of the offers of some kinds.
func offered(kinds ...string) func(context.Context, *client) ([]string, error) {
	return func(ctx context.Context, c *client) (names []string, err error) {
		for _, kind := range kinds {
			offers, err := c.offers(ctx, kind)
			if err != nil {
				return nil, err
			}
			for _, o := range offers {
				names = append(names, o.Name)
			}
		}
		return names, nil
	}
}

// openKeys gives the names of the keys that can be revoked.
func openKeys(ctx context.Context, c *client) (names []string, err error) {
	var list struct {
		Data []auth.Key `json:"data"`
	}
	if err := c.get(ctx, "/api/keys", &list); err != nil {
		return nil, err
	}
	now := time.Now()
	for i := range list.Data {
		if list.Data[i].Usable(now) {
			names = append(names, list.Data[i].Name)
		}
	}
	return names, nil
}

// completeFlag sets what completes a flag's value.
func completeFlag(cmd *cobra.Command, flag string, with cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, with); err != nil {
		panic(err) // the flag is defined a line above each call
	}
}
