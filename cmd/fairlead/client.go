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
	return &exitError{exitUnreachable, fmt.Errorf("no Fairlead runs on the data folder %s: start one with `fairlead up`, or name one with --url and --key (%w)", filepath.Clean(data), err)}
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
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return &exitError{exitUnreachable, fmt.Errorf("nothing answers at %s (%w); is `fairlead up` running?", base, err)}
}

const maxErrorBody = 64 << 10

func serverError(res *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxErrorBody)) // half an error text is better than none
	var e struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &e) == nil && e.Error.Message != "" {
		return &exitError{exitRefused, fmt.Errorf("%s (HTTP %d)", e.Error.Message, res.StatusCode)}
	}
	return &exitError{exitRefused, fmt.Errorf("the server answered with HTTP status %d", res.StatusCode)}
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
