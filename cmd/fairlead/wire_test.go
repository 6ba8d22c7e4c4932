package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/tidwall/gjson"
	_ "modernc.org/sqlite" // to hold a database as another process would

	"github.com/fairlead/fairlead/internal/catalog"
)

func cmdHTTP(ts *testscript.TestScript, neg bool, args []string) {
	key, header := ts.Getenv("KEY"), http.Header{}
	for len(args) > 1 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-key":
			key = args[1]
		case "-header":
			name, value, _ := strings.Cut(args[1], ":")
			header.Add(name, strings.TrimSpace(value))
		default:
			ts.Fatalf("unknown flag %s", args[0])
		}
		args = args[2:]
	}
	if len(args) < 2 {
		ts.Fatalf("usage: http METHOD PATH [FILE]")
	}
	var body io.Reader
	if len(args) > 2 {
		body = strings.NewReader(ts.ReadFile(args[2]))
		header.Set("Content-Type", "application/json")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, args[0], ts.Getenv("URL")+args[1], body)
	ts.Check(err)
	req.Header = header
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(req)
	if neg && err != nil {
		return
	}
	ts.Check(err)
	defer res.Body.Close()
	var out bytes.Buffer
	fmt.Fprintln(&out, "HTTP", res.StatusCode)
	for name, values := range res.Header {
		for _, value := range values {
			fmt.Fprintf(&out, "%s: %s\n", name, value)
		}
	}
	out.WriteString("\n")
	_, err = io.Copy(&out, res.Body)
	ts.Check(err)
	ts.Check(state(ts).watch(args[1], out.String()))
	_, err = ts.Stdout().Write(out.Bytes())
	ts.Check(err)
	if neg {
		ts.Fatalf("it answers %d", res.StatusCode)
	}
}

func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: json PATH VALUE")
	}
	if got := field(ts, args[0]); (got == args[1]) == neg {
		ts.Fatalf("%s is %q, wanted %q", args[0], got, args[1])
	}
}

// field looks into all of stdout, or where that is more than one value into its
// last line: the body after http's headers, or the last of JSON lines.
func field(ts *testscript.TestScript, path string) string {
	text := strings.TrimSpace(ts.ReadFile("stdout"))
	if !gjson.Valid(text) {
		text = text[strings.LastIndexByte(text, '\n')+1:]
	}
	if !gjson.Valid(text) {
		ts.Fatalf("stdout does not end with JSON")
	}
	return gjson.Get(text, path).String()
}

func cmdSave(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: save PATH NAME")
	}
	value := field(ts, args[0])
	if value == "" {
		ts.Fatalf("there is no %s", args[0])
	}
	ts.Setenv(args[1], value)
}

func cmdKeep(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

func cmdFake(ts *testscript.TestScript, _ bool, args []string) {
	base := strings.TrimSuffix(ts.Getenv("FAKE"), "/v1")
	var res *http.Response
	var err error
	switch {
	case slices.Equal(args, []string{"release"}):
		res, err = http.Post(base+"/_fake/release", "", nil)
	case len(args) == 2 && args[0] == "next":
		res, err = http.Post(base+"/_fake/next", "text/plain", strings.NewReader(args[1]))
	case len(args) == 2 && (args[0] == "total" || args[0] == "gone"):
		res, err = http.Get(base + "/_fake/counts?" + args[0] + "=" + strconv.Itoa(number(ts, args, 1)))
	default:
		ts.Fatalf("usage: fake next DIRECTIVES | release | total N | gone N")
	}
	ts.Check(err)
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		ts.Fatalf("the fake upstream says %d: %s", res.StatusCode, text)
	}
}

func cmdLockDB(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	db.SetMaxOpenConns(1)
	ts.Defer(func() { _ = db.Close() })
	_, err = db.Exec("PRAGMA locking_mode = exclusive; BEGIN EXCLUSIVE")
	ts.Check(err)
}

// anyModelServer looks where discovery looks.
func anyModelServer() bool {
	prices, err := catalog.Load()
	if err != nil {
		return true
	}
	for _, p := range prices.Providers() {
		for _, port := range p.API.Ports {
			conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
			if err == nil {
				_ = conn.Close()
				return true
			}
		}
	}
	return false
}
