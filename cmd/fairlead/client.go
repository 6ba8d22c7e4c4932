package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/internal/app"
)

// client talks to a running Fairlead.
type client struct {
	base, key string
	http      *http.Client
}

// reach says how a command finds the server: by flag, by environment, or by the
// data folder of this machine.
type reach struct {
	url, key, data string
}

// flags adds the three to a command and to those below it.
func (r *reach) flags(cmd *cobra.Command) {
	r.dataFlag(cmd)
	flags := cmd.PersistentFlags()
	flags.StringVar(&r.url, "url", "", "`URL` of a server elsewhere (FAIRLEAD_URL)")
	flags.StringVar(&r.key, "key", "", "key for it (FAIRLEAD_KEY)")
}

func (r *reach) dataFlag(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&r.data, "data", "data", "data `folder` of the server on this machine")
}

// elsewhere reports whether a server was named, so that none is looked for here.
func (r *reach) elsewhere() bool { return r.url != "" || os.Getenv("FAIRLEAD_URL") != "" }

// client finds the server. Without a URL it is the one that runs on the data
// folder.
func (r *reach) client() (*client, error) {
	base, key := r.url, r.key
	if base == "" {
		base = os.Getenv("FAIRLEAD_URL")
	}
	if key == "" {
		key = os.Getenv("FAIRLEAD_KEY")
	}
	if base == "" {
		control, err := app.ReadControl(r.data)
		if err != nil {
			return nil, notRunning(r.data, err)
		}
		base, key = control.URL, control.Token
	}
	if key == "" {
		return nil, usage("a key is needed for %s: set FAIRLEAD_KEY or give --key", base)
	}
	return &client{base: strings.TrimSuffix(base, "/"), key: key, http: &http.Client{}}, nil
}

func notRunning(data string, err error) error {
	if !errors.Is(err, app.ErrNotRunning) {
		return &exitError{exitFailed, fmt.Errorf("looking for the server that runs on the data folder %s: %w", filepath.Clean(data), err)}
	}
	return &exitError{exitUnreachable, fmt.Errorf("no Fairlead runs on the data folder %s: start one with `fairlead up`,\nname the folder of one with --data, or one elsewhere with --url and --key", filepath.Clean(data))}
}

// do sends a request and gives the answer's body, which the caller closes. An
// answer that is not a success becomes an error with the server's own words.
func (c *client) do(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, reader)
	if err != nil {
		return nil, usage("the URL %s cannot be used: %v", c.base, err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, unreachable(c.base, err)
	}
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	return nil, serverError(res)
}

func unreachable(base string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return &exitError{exitUnreachable, fmt.Errorf("nothing answers at %s: is `fairlead up` running? (%w)", base, err)}
}

const maxErrorBody = 64 << 10

func serverError(res *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxErrorBody)) // half an error text is better than none
	var e struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	err := fmt.Errorf("the server answered with HTTP status %d", res.StatusCode)
	if json.Unmarshal(body, &e) == nil && e.Error.Message != "" {
		err = fmt.Errorf("%s (HTTP %d)", e.Error.Message, res.StatusCode)
	}
	if res.StatusCode < http.StatusInternalServerError { // the caller's own mistake: the message says what to do
		return &exitError{exitRefused, err}
	}
	return withRecord(&exitError{exitRefused, err}, res.Header.Get(headerID))
}

// headerID carries the id of the exchange.
const headerID = "x-fairlead-id"

// withRecord adds where the whole story stands.
func withRecord(err error, id string) error {
	if id == "" || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w\n`fairlead requests %s` shows each attempt", err, id)
}

// alive reports whether the server answers at all.
func (c *client) alive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	res, err := c.do(ctx, http.MethodGet, "/healthz", nil)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// get reads one JSON document.
func (c *client) get(ctx context.Context, path string, into any) error {
	return c.call(ctx, http.MethodGet, path, nil, into)
}

func (c *client) call(ctx context.Context, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	res, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(io.LimitReader(res.Body, 256<<20)).Decode(into); err != nil {
		return fmt.Errorf("the server's answer cannot be read: %w", err)
	}
	return nil
}
