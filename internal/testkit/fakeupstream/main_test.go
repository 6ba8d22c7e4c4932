package main

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestRun_ServesUntilItsParentIsGone(t *testing.T) {
	t.Parallel()
	stdin, parent := io.Pipe()
	output, stdout := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(t.Context(), []string{"-alias", "limited=status=429", "-watch-stdin"}, stdin, stdout, io.Discard)
	}()
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(strings.TrimSpace(line)+"/v1/chat/completions", "application/json",
		strings.NewReader(`{"model":"limited","messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _ = response.Body.Close(); response.StatusCode != 429 {
		t.Errorf("%s", response.Status)
	}
	_ = parent.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRun_RefusesMistakes(t *testing.T) {
	t.Parallel()
	for _, arguments := range [][]string{{"-alias", "x"}, {"-alias", "x=cutt=3"}, {"-listen", "nowhere:x"}, {"-nonsense"}} {
		if err := run(t.Context(), arguments, strings.NewReader(""), io.Discard, io.Discard); err == nil {
			t.Errorf("%q is accepted", arguments)
		}
	}
}
