package app

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"golang.org/x/tools/txtar"

	"github.com/fairlead/fairlead/internal/catalog"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
	"github.com/fairlead/fairlead/internal/testkit"
	"github.com/fairlead/fairlead/internal/upstream"
)

// fixture is one exchange.
type fixture struct {
	t        *testing.T
	file     string
	archive  *txtar.Archive
	about    map[string]string // its head: "key: value" lines
	provider string
	at       time.Time // the date of its price
}

func readFixture(t *testing.T, file string) *fixture {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, file: file, archive: archive, about: map[string]string{}}
	for line := range strings.Lines(string(archive.Comment)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			f.about[key] = value
		}
	}
	if !slices.Contains([]string{"described", "recorded"}, f.about["origin"]) || !strings.HasPrefix(f.about["source"], "https://") || f.about["model"] == "" {
		t.Fatal("the head says origin (described or recorded), source (an address) and model")
	}
	if f.at, err = time.Parse("2006-01-02", f.about["date"]); err != nil {
		t.Fatalf("date: %v", err)
	}
	return f
}

func (f *fixture) section(name string) ([]byte, bool) {
	for i := range f.archive.Files {
		if f.archive.Files[i].Name == name {
			return f.archive.Files[i].Data, true
		}
	}
	return nil, false
}

// golden compares with a section, or writes it where -update asks for that.
func (f *fixture) golden(name, got string) {
	f.t.Helper()
	want, ok := f.section(name)
	if string(want) == got {
		return
	}
	if !testkit.Updating() {
		f.t.Errorf("%s of %s\n--- want\n%s--- got\n%s", name, f.file, want, got)
		return
	}
	if !ok {
		f.archive.Files = append(f.archive.Files, txtar.File{Name: name})
	}
	for i := range f.archive.Files {
		if f.archive.Files[i].Name == name {
			f.archive.Files[i].Data = []byte(got)
		}
	}
	if err := os.WriteFile(f.file, txtar.Format(f.archive), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// target is what the provider's few lines of configuration make.
func (f *fixture) target(prices *catalog.Catalog) (*upstream.Target, *pricing) {
	f.t.Helper()
	var yaml strings.Builder
	fmt.Fprintf(&yaml, "targets:\n  t:\n    provider: %s\n    model: %q\n", f.provider, f.about["model"])
	for _, key := range []string{"key", "base_url", "region", "dialect"} {
		if value := f.about[key]; value != "" {
			fmt.Fprintf(&yaml, "    %s: %q\n", key, value)
		}
	}
	from := &config.Sources{
		Providers: prices, Dialects: dialect.Names(),
		Env:      func(string) (string, bool) { return "", false },
		ReadFile: func(string, int64) ([]byte, error) { return googleAccount(f.t), nil },
	}
	cfg, err := config.Parse("fairlead.yaml", []byte(yaml.String()), from)
	if err != nil {
		f.t.Fatal(err)
	}
	b := newBuilder(prices, nil)
	price, err := b.pricing(&cfg.Targets[0])
	if err != nil {
		f.t.Fatal(err)
	}
	if price.fixed == nil { // it charges: what counted on the fixture's date
		price.fixed, _ = prices.Price(f.provider, f.about["model"], f.at)
	}
	target, err := b.target(&cfg.Targets[0], price)
	if err != nil {
		f.t.Fatal(err)
	}
	return target, price
}

// play asks plain and streamed, and holds each step against the fixture.
func (f *fixture) play(prices *catalog.Catalog) {
	f.t.Helper()
	target, price := f.target(prices)
	client, _ := dialect.ByName(f.client())
	asked, ok := f.section("asked")
	if !ok {
		f.t.Fatal("there is no section asked")
	}
	for _, way := range []struct {
		name string
		body []byte
		read func(*dialect.Bridge, []byte) (llm.Event, []byte, error)
	}{
		{"plain", asked, readPlain},
		{"stream", streaming(asked), f.readStream},
	} {
		answer, ok := f.section(way.name + ".answer")
		if !ok {
			continue
		}
		req := f.decode(client, way.body)
		spoken := target.Spoken(client.Name, req)
		b, err := dialect.NewBridge(client, spoken.Codec, req, target.Options)
		if err != nil {
			f.t.Fatal(err)
		}
		f.golden(way.name+".sent", sent(target, spoken, b))
		ev, seen, err := way.read(b, answer)
		if err != nil {
			f.t.Errorf("%s: %v", way.name, err)
			continue
		}
		f.golden(way.name+".want", f.result(client, req, b, ev, seen, price))
		if way.name == "plain" {
			f.flavor(prices, answer, ev.Usage)
		}
	}
	f.fail(client, target)
}

func (f *fixture) client() string {
	if name := f.about["client"]; name != "" {
		return name
	}
	return "openai-chat"
}

func (f *fixture) decode(client *dialect.Codec, body []byte) *llm.Request {
	f.t.Helper()
	in := llm.Incoming{Surface: llm.Chat, Body: bytes.TrimSpace(body), Limits: rawjson.Limits{Depth: 64}}
	if s := f.about["surface"]; s != "" {
		in.Surface = llm.Surface(s)
	}
	req, err := client.Decode(in)
	if err != nil {
		f.t.Fatal(err)
	}
	req.ID, req.Time = "01J", time.Unix(1764028800, 0).UTC()
	return req
}

func streaming(body []byte) []byte {
	return bytes.Replace(body, []byte("{"), []byte(`{"stream":true,`), 1)
}

// sent is the request as it leaves.
func sent(target *upstream.Target, spoken upstream.Spoken, b *dialect.Bridge) string {
	header := http.Header{}
	for name, value := range spoken.Codec.Header {
		header.Set(name, value)
	}
	maps.Copy(header, target.Endpoint.Header)
	var out strings.Builder
	fmt.Fprintf(&out, "POST %s\n", spoken.At(b.Path))
	for _, name := range slices.Sorted(maps.Keys(header)) {
		fmt.Fprintf(&out, "%s: %s\n", name, header.Get(name))
	}
	if target.Endpoint.Sign != nil {
		out.WriteString("Authorization: by signature\n")
	}
	return out.String() + "\n" + string(b.Body.Join()) + "\n"
}

func readPlain(b *dialect.Bridge, body []byte) (llm.Event, []byte, error) {
	ev, err := b.Answer(bytes.TrimSpace(body))
	return ev, ev.Raw, err
}

// readStream reads the provider's events; the result has all that they said.
func (f *fixture) readStream(b *dialect.Bridge, wire []byte) (all llm.Event, seen []byte, err error) {
	if b.Frames().MediaType == "application/vnd.amazon.eventstream" {
		wire = awsFrames(f.t, wire)
	}
	decoder, frames := b.Stream(), b.Frames().New(bytes.NewReader(wire), 0)
	add := func(ev llm.Event) {
		seen = append(seen, ev.Raw...)
		if ev.Marks&llm.MarkUsage != 0 {
			all.Usage, all.Marks = ev.Usage, all.Marks|llm.MarkUsage
		}
		if ev.StopReason != "" {
			all.StopReason = ev.StopReason
		}
	}
	for {
		raw, err := frames.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return all, seen, err
		}
		ev, err := decoder.Next(raw)
		if err != nil {
			return all, seen, err
		}
		add(ev)
	}
	if ender, ok := decoder.(dialect.Ender); ok {
		add(ender.Ended())
	}
	if !decoder.Complete() {
		return all, seen, errors.New("the stream is not complete")
	}
	return all, append(seen, decoder.End()...), nil
}

// awsFrames are lines of "event-type JSON" in AWS's framing.
func awsFrames(t *testing.T, lines []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	for line := range bytes.Lines(lines) {
		name, payload, ok := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		if !ok {
			continue
		}
		m := eventstream.Message{Payload: payload}
		kind, class := ":event-type", "event"
		if bytes.HasSuffix(name, []byte("Exception")) {
			kind, class = ":exception-type", "exception"
		}
		m.Headers.Set(kind, eventstream.StringValue(string(name)))
		m.Headers.Set(":message-type", eventstream.StringValue(class))
		if err := eventstream.NewEncoder().Encode(&b, m); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// flavor holds the codec's counts against those that the catalog's flavour reads from
// the same body: `fairlead cost` must not tell another sum than the record.
func (f *fixture) flavor(prices *catalog.Catalog, answer []byte, usage money.Tokens) {
	f.t.Helper()
	name := f.about["flavor"]
	if name == "" {
		return
	}
	_, tokens, err := prices.Usage(f.provider, name, answer)
	if err != nil || tokens != usage {
		f.t.Errorf("by the flavour %s: %+v, %v; by the codec: %+v", name, tokens, err, usage)
	}
}

// fail reads the provider's error answers: sections error.answer (the status on its
// first line, then the body) and broken.answer (a stream that ends in an error).
func (f *fixture) fail(client *dialect.Codec, target *upstream.Target) {
	f.t.Helper()
	asked, _ := f.section("asked")
	for _, name := range []string{"error", "broken"} {
		answer, ok := f.section(name + ".answer")
		if !ok {
			continue
		}
		body := asked
		if name == "broken" {
			body = streaming(asked)
		}
		req := f.decode(client, body)
		b, err := dialect.NewBridge(client, target.Spoken(client.Name, req).Codec, req, target.Options)
		if err != nil {
			f.t.Fatal(err)
		}
		if name == "broken" {
			_, _, err = f.readStream(b, answer)
		} else {
			status, text, _ := strings.Cut(string(answer), "\n")
			code, bad := strconv.Atoi(status)
			if bad != nil {
				f.t.Fatal("error.answer begins with a line that is the status")
			}
			if code == http.StatusOK {
				_, err = b.Answer([]byte(strings.TrimSpace(text)))
			} else {
				err = b.DecodeError(code, []byte(strings.TrimSpace(text)))
			}
		}
		if err == nil {
			f.t.Errorf("%s: there was no error", name)
			continue
		}
		e := llm.AsError(err)
		f.golden(name+".want", fmt.Sprintf("%s: %s\n", e.Kind, e.Message))
	}
}

// googleAccount is a service account's key file, as Google's console would give it.
func googleAccount(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "a@p.example", "private_key_id": "k1", "token_uri": "https://127.0.0.1/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return file
}
