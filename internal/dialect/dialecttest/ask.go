package dialecttest

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

//go:embed testdata
var files embed.FS

// AskFeature is something that a request may say.
type AskFeature struct {
	Name string
	// Says are facts that every client's request of that name must be read as, in the
	// form of Fact.String.
	Says []string
}

// AskFeatures are what requests may say, in the order of the table.
var AskFeatures = []AskFeature{
	{"text", []string{"text of system=Be brief.", "text of user=Hello."}},
	{"unicode", []string{"text of user=naïve “日本” 👩‍👩‍👧 é <b> & \\ \"q\"\n\ttab"}},
	{"empty text", []string{"text of user=Hello."}},
	{"turns", []string{"text of user=One?", "text of assistant=Two.", "text of user=Three?"}},
	{"instructions later", []string{"text of system, later=Now rhyme."}},
	{"name", []string{"name of user=ada"}},
	{"tools", []string{"tool of get_weather=Weather of a city.", "tool of get_time=Time in a zone.", `schema of get_time={"properties":{"zone":{"type":"string"}},"type":"object"}`}},
	{"tool strict", []string{"strict of get_weather=true"}},
	{"tool choice none", []string{"choice=none"}},
	{"tool choice any", []string{"choice=any"}},
	{"tool choice one", []string{"choice of get_time=one"}},
	{"tool choice allowed", []string{"allowed tools=get_time"}},
	{"one tool at a time", []string{"parallel=false"}},
	{"tool results", []string{`call of assistant=get_weather {"city":"Oslo"}`, `call of assistant=get_time {"zone":"CET"}`, "text of result of get_weather=3 °C", "text of result of get_time=12:00", "text of user=Thanks?"}},
	{"tool result failed", []string{"failed of get_weather=true", "text of result of get_weather=No such city."}},
	{"tool result with image", []string{"image of result of get_weather=iVBORw0KGgo="}},
	{"image in base64", []string{"image of user=iVBORw0KGgo=", "image type of user=image/png"}},
	{"image by address", []string{"image of user=https://example.com/a.png"}},
	{"image detail", []string{"image detail of user=low"}},
	{"image by id", nil},
	{"document in base64", []string{"document of user=JVBERi0xLjQK", "document type of user=application/pdf"}},
	{"document by address", []string{"document of user=https://example.com/a.pdf"}},
	{"document of text", []string{"document of user=Grass is green."}},
	{"document to cite", []string{"document of user=Grass is green.", "cite of user=true"}},
	{"document by id", nil},
	{"audio", []string{"audio of user=UklGRgAAAAA=", "audio type of user=audio/wav"}},
	{"video", []string{"video of user=AAAAGGZ0eXA=", "video type of user=video/mp4"}},
	{"thinking by effort", []string{"effort=high"}},
	{"thinking by budget", []string{"budget=2048"}},
	{"thinking adaptive", []string{"thinking=adaptive"}},
	{"thinking off", []string{"thinking=off"}},
	{"thoughts shown", nil},
	{"thought signed by the target", []string{"signature of assistant={{target}}:{{proof}}"}},
	{"thought redacted by the target", []string{"redacted of assistant={{target}}:UmVkYWN0ZWQ="}},
	{"thought of the client's dialect", nil},
	{"thought without a signature", []string{"thought of assistant=Hm."}},
	{"call signed by the target", []string{"signature of assistant={{target}}:{{proof}}"}},
	{"refusal in a turn", []string{"refusal of assistant=I will not."}},
	{"citation in a turn", nil},
	{"cache", []string{"cache of system=5m"}},
	{"cache for an hour", []string{"cache of user=1h"}},
	{"cache of tools", []string{"cache of tool get_weather=5m"}},
	{"max tokens", []string{"max tokens=1500"}},
	{"temperature", []string{"temperature=0.5"}},
	{"top_p", []string{"top_p=0.9"}},
	{"top_k", []string{"top_k=40"}},
	{"min_p", []string{"min_p=0.05"}},
	{"seed", []string{"seed=7"}},
	{"stop", []string{"stop of 0=END", "stop of 1=###"}},
	{"stop at a blank line", []string{"stop of 0=\n\n"}},
	{"penalties", []string{"presence penalty=0.5", "frequency penalty=0.25"}},
	{"repeat penalty", []string{"repeat penalty=1.1"}},
	{"logit bias", []string{`logit bias={"50256":-100}`}},
	{"logprobs", []string{"logprobs=true", "top logprobs=2"}},
	{"n", []string{"n=2"}},
	{"JSON format", []string{"format=object"}},
	{"JSON schema", []string{`format={"additionalProperties":false,"properties":{"city":{"type":"string"}},"required":["city"],"type":"object"}`}},
	{"user", []string{"user=u-1"}},
	{"metadata", []string{"metadata of team=blue"}},
	{"service tier", nil},
	{"provider's own tool", nil},
	{"unknown part", nil},
	{"unknown field", nil},
}

// signers are the dialects that sign thought, and redactors those that redact it.
var (
	signers     = []string{"anthropic", "gemini", "openai-responses", "bedrock"}
	redactors   = []string{"anthropic", "bedrock"}
	callSigners = []string{"gemini"}
)

// proof is a signature as its dialect has it: what it looks like, and for Responses the
// item that it belongs to.
func proof(target string) string {
	if target == "openai-responses" {
		return "rs_1:U2lnbmVkIQ=="
	}
	return "U2lnbmVkIQ=="
}

// carried is the proof of a target, or its redacted thought, as a client of another
// dialect got it with the answer.
func carried(client, target string, redacted bool) string {
	text, signer := proof(target), target
	switch {
	case redacted && client == target:
		return "UmVkYWN0ZWQ="
	case client == target:
		return "U2lnbmVkIQ=="
	case redacted && client == "gemini":
		text = "redacted:UmVkYWN0ZWQ="
	case redacted && client == "openai-responses":
		text, signer = "UmVkYWN0ZWQ=", target+"/redacted"
	case redacted:
		text = "UmVkYWN0ZWQ="
	}
	text = llm.CarrySignature(client, signer, text)
	if client == "gemini" { // whose SDKs take signatures for base64
		text = base64.StdEncoding.EncodeToString([]byte(text))
	}
	return text
}

// applies reports whether a feature means anything for a target.
func (f AskFeature) applies(target string) bool {
	switch f.Name {
	case "thought signed by the target":
		return slices.Contains(signers, target)
	case "thought redacted by the target":
		return slices.Contains(redactors, target)
	case "call signed by the target":
		return slices.Contains(callSigners, target)
	}
	return true
}

func hasAsks(name string) bool {
	_, err := files.ReadFile("testdata/ask/" + name + ".txt")
	return err == nil
}

// section finds the text behind "-- name --" or "-- name < parent --".
func section(text, name string) (body, parent string, ok bool) {
	for block := range strings.SplitSeq("\n"+text, "\n-- ") {
		head, body, found := strings.Cut(block, " --\n")
		title, parent, _ := strings.Cut(head, " < ")
		if found && title == name {
			return strings.TrimSpace(body), parent, true
		}
	}
	return "", "", false
}

// Body is a client's request that shows a feature, to a target of the given dialect;
// ok is false where its dialect cannot say such a thing.
func Body(client, feature, target string) (body []byte, ok bool) {
	text, err := files.ReadFile("testdata/ask/" + client + ".txt")
	if err != nil {
		return nil, false
	}
	fields, parent, ok := section(string(text), feature)
	if !ok {
		return nil, false
	}
	fields = strings.NewReplacer("{{target}}", target, "{{proof}}", proof(target),
		"{{signature}}", carried(client, target, false), "{{redacted}}", carried(client, target, true)).Replace(fields)
	if feature == "text" {
		return []byte(fields), true
	}
	if parent == "" {
		parent = "text"
	}
	base, ok := Body(client, parent, target)
	if !ok {
		return nil, false
	}
	return overlay(base, []byte(fields)), true
}

// overlay is edited for what stands in testdata, where a mistake is ours.
func overlay(base, fields []byte) []byte {
	out, err := edited(base, fields)
	if err != nil {
		panic(fmt.Sprintf("%v: %s over %s", err, fields, base))
	}
	return out
}

// edited replaces fields of an object; null takes one out.
func edited(base, fields []byte) ([]byte, error) {
	doc, err := rawjson.Check(base, rawjson.Limits{})
	if err != nil {
		return nil, err
	}
	over, err := rawjson.Check(fields, rawjson.Limits{})
	if err != nil {
		return nil, err
	}
	edit := doc.Edit()
	for name, v := range over.Fields() {
		if v.Kind() == rawjson.Null {
			edit.Delete(name)
			continue
		}
		edit.Set(v.Raw(), name)
	}
	return edit.Apply()
}

// inPath are the dialects that say model and stream in the path of a request.
var inPath = []string{"gemini"}

// Request decodes a client's body, as a gateway would.
func Request(c *dialect.Codec, body []byte, stream bool) (*llm.Request, error) {
	in := llm.Incoming{Surface: llm.Chat, Body: body, Limits: rawjson.Limits{Depth: 64}}
	if slices.Contains(inPath, c.Name) {
		in.Model, in.Stream = "m", stream
	} else {
		form := fmt.Sprintf(`{"stream":%v}`, stream)
		if stream && c.Name == "openai-chat" {
			form = `{"stream":true,"stream_options":{"include_usage":true}}`
		}
		if with, err := edited(body, []byte(form)); err == nil {
			in.Body = with // else it is no object, which the codec shall say
		}
	}
	req, err := c.Decode(in)
	if err != nil {
		return nil, err
	}
	req.ID, req.Time = "01JCONFORM", time.Unix(1700000000, 0)
	return req, nil
}

// models are those that targets are asked for: what a target takes depends on it.
var models = map[string]string{
	"openai-chat": "gpt-5.1", "openai-responses": "gpt-5.1", "anthropic": "claude-sonnet-4-6", "gemini": "gemini-3-pro-preview",
	"ollama": "gpt-oss:20b", "bedrock": "anthropic.claude-sonnet-4-6-v1:0",
}

// Options are what a target of the kit is given.
func Options(target *dialect.Codec) llm.Options {
	return llm.Options{Model: models[target.Name], AskUsage: true}
}

// Ask carries a request that shows a feature from a client to a target, and says what
// became of it. ok is false where there is nothing to say.
func Ask(client, target *dialect.Codec, feature AskFeature) (v Verdict, ok bool) {
	body, ok := Body(client.Name, feature.Name, target.Name)
	if !ok || !feature.applies(target.Name) {
		return v, false
	}
	req, err := Request(client, body, false)
	if err != nil {
		v.problem("the client's own codec refuses it: " + err.Error())
		return v, true
	}
	b, err := dialect.NewBridge(client, target, req, Options(target))
	if err != nil {
		v.problem("the bridge refuses it: " + err.Error())
		return v, true
	}
	if _, err := rawjson.Check(b.Body.Join(), rawjson.Limits{}); err != nil {
		v.problem("what is sent is broken JSON: " + err.Error())
	}
	for range 4 {
		if again, err := dialect.NewBridge(client, target, req, Options(target)); err != nil || !bytes.Equal(again.Body.Join(), b.Body.Join()) {
			v.problem("written twice it differs, so no cache knows it again: " + string(again.Body.Join()))
			break
		}
	}
	if client == target {
		v.passed(req, b)
		return v, true
	}
	prompt, err := client.Read(req)
	if err != nil {
		v.problem("the client's own codec cannot read it: " + err.Error())
		return v, true
	}
	said := PromptFacts(prompt)
	arrived, err := sentFacts(target, b.Body.Join())
	if err != nil {
		v.problem("the target would refuse what is sent: " + err.Error() + ": " + string(b.Body.Join()))
		return v, true
	}
	problems := v.Problems
	v = judge(said, arrived, b.Lost, prompt.Unread, client.Names)
	v.Problems = append(problems, v.Problems...)
	for _, want := range feature.Says {
		want = strings.NewReplacer("{{target}}", target.Name, "{{proof}}", proof(target.Name)).Replace(want)
		if !slices.ContainsFunc(said, func(f Fact) bool { return f.String() == want }) {
			v.problem("the client's own codec does not read: " + want + "; it reads " + fmt.Sprint(said))
		}
	}
	return v, true
}

// passed checks that a body went through untouched but for the edited fields.
func (v *Verdict) passed(req *llm.Request, b *dialect.Bridge) {
	doc, _ := rawjson.Check(req.Body, rawjson.Limits{}) // Decode has checked it
	edit := doc.Edit()
	if _, there := doc.Get("model"); there {
		edit.Set([]byte(`"`+models[req.Dialect]+`"`), "model")
	}
	want, _ := edit.Apply() // the field is there
	if string(want) != string(b.Body.Join()) {
		v.problem("passed through changed: " + string(b.Body.Join()) + ", want " + string(want))
	}
	if len(b.Lost) > 0 {
		v.problem("passed through, yet reported as lost: " + strings.Join(b.Lost, ", "))
	}
}

// sentFacts reads what was sent as the target would, with what holds there unsaid.
func sentFacts(target *dialect.Codec, body []byte) ([]Fact, error) {
	facts, err := targetReads(target, body)
	if err != nil {
		return nil, err
	}
	thinks := func(f Fact) bool { return f.Key == "thinking" || f.Key == "effort" || f.Key == "budget" }
	if slices.Contains(quiet, target.Name) && !slices.ContainsFunc(facts, thinks) {
		facts = append(facts, Fact{Key: "thinking", Value: "off"})
	}
	if slices.Contains(open, target.Name) {
		facts = append(facts, Fact{Key: "thoughts shown", Value: "true"})
	}
	return facts, nil
}

func targetReads(target *dialect.Codec, body []byte) ([]Fact, error) {
	if read, ok := targetReaders[target.Name]; ok {
		return read(body)
	}
	req, err := target.Decode(llm.Incoming{Surface: llm.Chat, Body: body, Model: models[target.Name]})
	if err != nil {
		return nil, err
	}
	prompt, err := target.Read(req)
	if err != nil {
		return nil, err
	}
	if len(prompt.Unread) > 0 {
		return nil, fmt.Errorf("it has fields that the dialect does not know: %v", prompt.Unread)
	}
	return PromptFacts(prompt), nil
}

// quiet are the targets whose model, of those above, thinks only when it is told to.
var quiet = []string{"anthropic", "bedrock"}

// open are the targets that show whatever was thought.
var open = []string{"ollama", "bedrock"}
