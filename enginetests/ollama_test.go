//go:build unix

package enginetests

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/engine"
	"github.com/fairlead/fairlead/internal/engine/enginetest"
	"github.com/fairlead/fairlead/internal/testkit"
)

// ollamaModel is what the tests call the small model there.
const ollamaModel = "small"

// startOllama runs Ollama's server until the test ends, with its data in a folder of the test and the small model in it.
func startOllama(t *testing.T) server {
	t.Helper()
	program := os.Getenv("FAIRLEAD_OLLAMA")
	if program == "" {
		program = filepath.Join(testkit.Root(t), ".cache", "ollama", "bin", "ollama")
	}
	if _, err := os.Stat(program); err != nil {
		// Not a failure with CI=true: it is compiled from C++ here, which takes minutes.
		t.Skipf("Ollama is not in %s; to get it: make test-engines", program)
	}
	weights := smallModel(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()

	home := t.TempDir()
	var said bytes.Buffer
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	command := exec.CommandContext(ctx, program, "serve")
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "OLLAMA_MODELS=" + filepath.Join(home, "models"), "OLLAMA_HOST=" + address,
		"OLLAMA_NUM_PARALLEL=1", "OLLAMA_KEEP_ALIVE=10m",
	}
	command.Stdout, command.Stderr = &said, &said
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with its runners, which end with it
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = command.Wait() // by our signal
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		if t.Failed() {
			lines := strings.Split(said.String(), "\n")
			t.Logf("ollama's last words:\n%s", strings.Join(lines[max(0, len(lines)-15):], "\n"))
		}
	})
	s := newServer(t, "http://"+address, "")
	s.untilUp(t, "/api/version")
	s.load(t, weights)
	return s
}

// smallModel is the file of the model that the local engine's set-up brought.
func smallModel(t *testing.T) string {
	t.Helper()
	cfg := engine.Default()
	cfg.Dir = enginetest.Dir(t)
	in, err := engine.Find(cfg)
	if err != nil {
		missing(t, "%v", err)
	}
	return in.Model
}

// untilUp asks until the server answers.
func (s server) untilUp(t *testing.T, path string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		res, err := s.open(ctx, path, nil)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == 200 {
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s does not answer: %v", s.url, err)
		}
	}
}

// load puts a model into Ollama by its own API.
func (s server) load(t *testing.T, path string) {
	t.Helper()
	weights, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(weights)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	if r := s.do(t, "/api/blobs/"+digest, weights); r.status != 201 {
		t.Fatalf("the blob: %d %s", r.status, r.body)
	}
	r := s.do(t, "/api/create", encode(object{
		"model": ollamaModel, "files": object{"model.gguf": digest}, "stream": false,
		"parameters": object{"num_ctx": 512, "num_thread": engine.DefaultThreads()},
	}))
	if r.status != 200 {
		t.Fatalf("the model: %d %s", r.status, r.body)
	}
}

// TestOllama asks the native API of Ollama's own server in every client's dialect. It has no fast kernels when it is
// built from its module, so the answers are short.
//
//nolint:paralleltest // one model answers
func TestOllama(t *testing.T) {
	up := startOllama(t)
	gate := startFairlead(t, fmt.Sprintf(`targets:
  native: { provider: ollama, base_url: %[1]q, model: %[2]s, dialect: ollama }
  own: { provider: ollama, base_url: %[1]q, model: %[2]s }
  nothing: { provider: ollama, base_url: %[1]q, model: unknown, dialect: ollama, retry: { attempts: 1 } }
`, up.url, ollamaModel))
	short := ask{system: "You answer briefly.", turns: []string{"Hello!", "Hello.", "Name three colors."}, most: 4}
	cut, _ := ollamaClient.ask(t, up, ollamaModel, short)
	_, rest, more := strings.Cut(cut.text, " ")
	if !more {
		t.Fatalf("the question does not suit this model: %v", cut)
	}
	ending := " " + rest // the second word and what follows: a stop sequence that comes
	stopped, _ := ollamaClient.ask(t, up, ollamaModel, short.until(ending))
	if cut.why != "length" || stopped.why != "stop" || stopped.text+ending != cut.text {
		t.Fatalf("the question does not suit this model: %v, then %v", cut, stopped)
	}
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			for _, one := range []ask{short, short.streamed()} {
				got, r := c.ask(t, gate, "native", one)
				same(t, got, cut, c.cut)
				lossFree(t, r)
				if c.name == responsesClient.name {
					continue // has no word for a stop sequence
				}
				got, r = c.ask(t, gate, "native", one.until(ending))
				same(t, got, stopped, c.ends)
				lossFree(t, r)
			}
		})
	}
	t.Run("schema", func(t *testing.T) {
		for _, c := range []client{ollamaClient, chatClient} {
			got, _ := c.ask(t, gate, "native", short.shaped(numberSchema).atMost(24))
			fits(t, c, got)
		}
	})
	// 0.6.5 has neither Messages nor Responses: a 404 makes Fairlead ask in what it does have.
	t.Run("own dialect", func(t *testing.T) {
		for _, c := range clients {
			got, _ := c.ask(t, gate, "own", short)
			same(t, got, cut, c.cut)
		}
	})
	t.Run("generate", func(t *testing.T) { testGenerate(t, up, gate) })
	t.Run("embed", func(t *testing.T) { testEmbed(t, up, gate) })
	t.Run("a model that is not there", func(t *testing.T) {
		for _, c := range clients {
			r := gate.do(t, c.path("nothing", short), encode(c.body("nothing", short)))
			if r.status != 502 || !bytes.Contains(r.body, []byte("unknown")) { // our configuration names it, not the client
				t.Errorf("%s: %d %s", c.name, r.status, r.body)
			}
		}
	})
	// Ollama drops the oldest turns of a prompt that does not fit, and says nothing.
	t.Run("too long is cut", func(t *testing.T) {
		long := ask{turns: []string{strings.Repeat("word ", 1000), "Hello.", "Hi."}, most: 1}
		got, _ := ollamaClient.ask(t, gate, "native", long)
		if got.in == 0 || got.in > 512 {
			t.Errorf("%v", got)
		}
	})
}

func testGenerate(t *testing.T, up, gate server) {
	body := func(model string, stream bool) []byte {
		return encode(object{
			"model": model, "prompt": "Red, green, blue,", "raw": true, "stream": stream,
			"options": object{"num_predict": 3, "temperature": 0, "seed": 7},
		})
	}
	want := ollamaClient.read(t, ask{}, up.do(t, "/api/generate", body(ollamaModel, false)).body)
	if want.text == "" || want.out == 0 {
		t.Fatal(want)
	}
	for _, stream := range []bool{false, true} {
		got := ollamaClient.read(t, ask{stream: stream}, gate.do(t, "/api/generate", body("native", stream)).body)
		same(t, got, want, "length")
	}
}

func testEmbed(t *testing.T, up, gate server) {
	var want, got struct {
		Embeddings [][]float64
		Tokens     int64 `json:"prompt_eval_count"`
	}
	decode(t, up.do(t, "/api/embed", encode(object{"model": ollamaModel, "input": []string{"red"}})).body, &want)
	decode(t, gate.do(t, "/api/embed", encode(object{"model": "native", "input": []string{"red"}})).body, &got)
	if len(want.Embeddings) != 1 || len(got.Embeddings) != 1 || !slices.Equal(got.Embeddings[0], want.Embeddings[0]) || got.Tokens != want.Tokens {
		t.Errorf("%d and %d vectors, %d and %d tokens", len(got.Embeddings), len(want.Embeddings), got.Tokens, want.Tokens)
	}
	var openai struct {
		Data  []struct{ Embedding []float64 }
		Usage struct {
			Prompt int64 `json:"prompt_tokens"`
		}
	}
	r := gate.do(t, "/v1/embeddings", encode(object{"model": "native", "input": "red"}))
	if err := json.Unmarshal(r.body, &openai); err != nil || len(openai.Data) != 1 || !slices.Equal(openai.Data[0].Embedding, want.Embeddings[0]) || openai.Usage.Prompt == 0 {
		t.Errorf("through OpenAI's: %d %.200s", r.status, r.body)
	}
}
