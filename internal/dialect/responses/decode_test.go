package responses

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

func TestDecode_ReadsWhatTheHouseNeeds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fields string
		needs  llm.Ability
		bound  bool
		max    int64
	}{
		"unknown fields":             {`"input":"hi","whatever":{"a":[1]}`, 0, false, 0},
		"unknown items":              {`"input":[{"type":"brand_new","x":1},{"type":"message","role":"user","content":"hi"}]`, 0, false, 0},
		"text":                       {`"input":"hi"`, 0, false, 0},
		"stream":                     {`"input":"hi","stream":true`, llm.CanStream, false, 0},
		"bound on output":            {`"input":"hi","max_output_tokens":20`, 0, false, 20},
		"tools":                      {`"input":"hi","tools":[{"type":"function","name":"f"}]`, llm.CanTools, false, 0},
		"tools but none":             {`"input":"hi","tool_choice":"none","tools":[{"type":"function","name":"f"}]`, 0, false, 0},
		"built-in tools":             {`"input":"hi","tools":[{"type":"web_search"}]`, llm.CanTools, false, 0},
		"schema":                     {`"input":"hi","text":{"format":{"type":"json_schema","name":"x","schema":{}}}`, llm.CanSchema, false, 0},
		"json object":                {`"input":"hi","text":{"format":{"type":"json_object"}}`, llm.CanJSON, false, 0},
		"plain format":               {`"input":"hi","text":{"format":{"type":"text"},"verbosity":"low"}`, 0, false, 0},
		"logprobs":                   {`"input":"hi","include":["message.output_text.logprobs"]`, llm.CanLogprobs, false, 0},
		"top logprobs":               {`"input":"hi","top_logprobs":3`, llm.CanLogprobs, false, 0},
		"image":                      {`"input":[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}]`, llm.CanVision, false, 0},
		"image, escaped":             {`"input":[{"role":"user","content":[{"type":"input\u005fimage","image_url":"x"}]}]`, llm.CanVision, false, 0},
		"audio":                      {`"input":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]}]`, llm.CanAudio, false, 0},
		"image of a tool":            {`"input":[{"type":"function_call_output","call_id":"a","output":[{"type":"input_image","image_url":"x"}]}]`, llm.CanVision, false, 0},
		"continued":                  {`"previous_response_id":"r1"`, 0, true, 0},
		"continued, more":            {`"previous_response_id":"r1","input":"go on"`, 0, true, 0},
		"conversation":               {`"conversation":{"id":"c1"},"input":"hi"`, 0, true, 0},
		"template":                   {`"prompt":{"id":"p1"}`, 0, true, 0},
		"nulls":                      {`"input":"hi","previous_response_id":null,"conversation":null,"tools":null,"text":null,"metadata":null,"stream":null`, 0, false, 0},
		"reference":                  {`"input":[{"type":"item_reference","id":"msg_1"}]`, 0, true, 0},
		"bare reference":             {`"input":[{"id":"msg_1"}]`, 0, true, 0},
		"reference to shown thought": {`"input":[{"type":"item_reference","id":"rs_fl_1"}]`, 0, false, 0},
		"its own thought":            {`"input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"}]`, 0, true, 0},
		"stored thought":             {`"input":[{"type":"reasoning","id":"rs_1","summary":[]}]`, 0, true, 0},
		"carried thought":            {`"input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"fairlead.anthropic.S"}]`, 0, false, 0},
		"shown thought":              {`"input":[{"type":"reasoning","id":"rs_fl_1","summary":[]}]`, 0, false, 0},
		"compaction":                 {`"input":[{"type":"compaction","encrypted_content":"gAAA"}]`, 0, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := decode(t, `{"model":"m",`+tc.fields+`}`)
			if req.Needs != tc.needs|llm.CanChat || req.Bound != tc.bound || req.MaxTokens != tc.max || req.Model != "m" || !req.StreamUsage {
				t.Errorf("needs %v bound %v max %d, want %v %v %d", req.Needs.Names(), req.Bound, req.MaxTokens, tc.needs.Names(), tc.bound, tc.max)
			}
			if strings.HasPrefix(name, "continued") != (req.Continues == "r1") {
				t.Errorf("continues %q", req.Continues)
			}
		})
	}
}

func TestDecode_RefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ body, param, words string }{
		"not JSON":              {`{"model":`, "", "not valid JSON"},
		"no object":             {`[]`, "", "must be a JSON object"},
		"duplicate":             {`{"model":"m","input":"hi","input":"ho"}`, "", "refused"},
		"duplicate, deep":       {`{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"a","text":"b"}]}]}`, "", "refused"},
		"too deep":              {`{"model":"m","input":"x","a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`, "", "refused"},
		"no model":              {`{"input":"hi"}`, "model", "missing"},
		"model of another case": {`{"Model":"m","input":"hi"}`, "model", "missing"},
		"no input":              {`{"model":"m"}`, "input", "missing"},
		"input is a number":     {`{"model":"m","input":1}`, "input", "a string or an array"},
		"item is a string":      {`{"model":"m","input":["hi"]}`, "input[0]", "an object"},
		"item without type":     {`{"model":"m","input":[{"text":"hi"}]}`, "input[0].type", "must have a type"},
		"message without role":  {`{"model":"m","input":[{"type":"message","content":"hi"}]}`, "input[0].role", "must be a string"},
		"content is a number":   {`{"model":"m","input":[{"role":"user","content":1}]}`, "input[0].content", "a string or an array"},
		"part without type":     {`{"model":"m","input":[{"role":"user","content":[{"text":"hi"}]}]}`, "input[0].content", "needs a type"},
		"tool without type":     {`{"model":"m","input":"hi","tools":[{"name":"f"}]}`, "tools[0].type", "must be a string"},
		"temperature":           {`{"model":"m","input":"hi","temperature":"hot"}`, "temperature", "a number"},
		"fraction of a token":   {`{"model":"m","input":"hi","max_output_tokens":1.5}`, "max_output_tokens", "whole number"},
		"schema missing":        {`{"model":"m","input":"hi","text":{"format":{"type":"json_schema"}}}`, "text.format.schema", "JSON Schema"},
		"format without type":   {`{"model":"m","input":"hi","text":{"format":{}}}`, "text.format.type", "must be a string"},
		"bad tag":               {`{"model":"m","input":"hi","metadata":{"fairlead_cache":"maybe"}}`, "metadata.fairlead_cache", "off"},
		"tag of wrong kind":     {`{"model":"m","input":"hi","metadata":{"fairlead_task":1}}`, "metadata.fairlead_task", "a string"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Decode(llm.Incoming{Surface: llm.Chat, Body: []byte(tc.body), Limits: rawjson.Limits{Depth: 64}})
			e := llm.AsError(err)
			if err == nil || e.Kind != llm.Invalid || e.Param != tc.param || !strings.Contains(e.Message, tc.words) {
				t.Errorf("got %v, param %q; want param %q and %q", err, e.Param, tc.param, tc.words)
			}
		})
	}
}

func TestDecode_TakesTagsFromMetadata(t *testing.T) {
	t.Parallel()
	req := decode(t, `{"model":"m","input":"hi","metadata":{"fairlead_task_id":"t1","k":"v"}}`)
	if req.Tags.TaskID != "t1" {
		t.Errorf("%+v", req.Tags)
	}
}

func TestEncode_ChangesOnlyWhatItMust(t *testing.T) {
	t.Parallel()
	const foreign = `{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"fairlead.anthropic.SIG"}`
	for name, tc := range map[string]struct {
		in, want string
		lost     []string
	}{
		"nothing":                {`{"model":"m", "input":"hi","x":[ 1 ]}`, `{"model":"m", "input":"hi","x":[ 1 ]}`, nil},
		"only our tags":          {`{"model":"m","metadata":{"fairlead_task":"t"},"input":"hi"}`, `{"model":"m","input":"hi"}`, nil},
		"our tags":               {`{"model":"m","metadata":{"fairlead_task":"t","k":"v"},"input":"hi"}`, `{"model":"m","metadata":{"k":"v"},"input":"hi"}`, nil},
		"empty metadata":         {`{"model":"m","metadata":{},"input":"hi"}`, `{"model":"m","metadata":{},"input":"hi"}`, nil},
		"its own thought":        {`{"model":"m","input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"}]}`, `{"model":"m","input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"}]}`, nil},
		"another's":              {`{"model":"m","input":[{"role":"user","content":"hi"},` + foreign + `,{"role":"assistant", "content":"ho"}]}`, `{"model":"m","input":[{"role":"user","content":"hi"},{"role":"assistant", "content":"ho"}]}`, []string{"encrypted_content"}},
		"another's, referred to": {`{"model":"m","input":[{"type":"item_reference","id":"rs_fl_1"},{"role":"user","content":"hi"}]}`, `{"model":"m","input":[{"role":"user","content":"hi"}]}`, []string{"reasoning"}},
		"another's, unsigned":    {`{"model":"m","input":[{"id":"rs_fl_1","type":"reasoning","summary":[]},{"role":"user","content":"hi"}]}`, `{"model":"m","input":[{"role":"user","content":"hi"}]}`, []string{"reasoning"}},
		"words that look so":     {`{"model":"m","input":[{"role":"user","content":"fairlead.anthropic.SIG"}]}`, `{"model":"m","input":[{"role":"user","content":"fairlead.anthropic.SIG"}]}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, lost, err := Encode(decode(t, tc.in), llm.Options{Model: "m", AskUsage: true})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(body.Join())) + cmp.Diff(tc.lost, lost); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	body, _, err := Encode(decode(t, ask), llm.Options{Model: "other"})
	if want := `{"model":"other","input":"hi"}`; err != nil || string(body.Join()) != want {
		t.Errorf("%s, %v", body, err)
	}
}
