package dialecttest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/llm"
)

// A kit that finds nothing is worth nothing: these are the mistakes it must see.

func TestJudge_FindsWhatWasLostInSilence(t *testing.T) {
	t.Parallel()
	names := map[llm.Field]string{llm.FieldTopK: "topK"}
	topK := Fact{Key: "top_k", Value: "40", Fields: []llm.Field{llm.FieldTopK}}
	words := Fact{Key: "text", Place: "user", Value: "Hello."}
	for name, tc := range map[string]struct {
		said, arrived []Fact
		lost, unread  []string
		want          string // in the first problem, "" for none
	}{
		"kept":                   {[]Fact{topK, words}, []Fact{words, topK}, nil, nil, ""},
		"named":                  {[]Fact{topK}, nil, []string{"topK"}, nil, ""},
		"in silence":             {[]Fact{topK}, nil, nil, nil, "lost in silence"},
		"by another's name":      {[]Fact{topK}, nil, []string{"top_k"}, nil, "lost in silence"},
		"reported and kept":      {[]Fact{topK}, []Fact{topK}, []string{"topK"}, nil, "nothing of it is missing"},
		"words cannot be lost":   {[]Fact{words}, nil, []string{"content"}, nil, "lost in silence"},
		"invented":               {[]Fact{words}, []Fact{words, {Key: "text", Place: "user", Value: "Bye."}}, nil, nil, "nobody said"},
		"unknown field, unnamed": {nil, nil, nil, []string{"x"}, "lost in silence"},
		"joined words":           {[]Fact{words, {Key: "text", Place: "user", Value: "Bye."}}, []Fact{{Key: "text", Place: "user", Value: "Hello.\nBye."}}, nil, nil, ""},
	} {
		v := judge(tc.said, tc.arrived, tc.lost, tc.unread, names)
		if tc.want == "" && len(v.Problems) > 0 || tc.want != "" && !strings.Contains(strings.Join(v.Problems, "\n"), tc.want) {
			t.Errorf("%s: problems %q, want %q", name, v.Problems, tc.want)
		}
	}
}

// blocksOf are the events of a stream, each with its end.
func blocksOf(events []byte) [][]byte {
	end := []byte("\n\n")
	if bytes.HasPrefix(events, []byte("{")) {
		end = end[:1]
	}
	return bytes.SplitAfter(bytes.TrimSuffix(events, end), end)
}

func TestGrammar_SeesStreamsOutOfOrder(t *testing.T) {
	t.Parallel()
	for _, client := range Clients() {
		events, err := SampleStream(client)
		if err != nil {
			t.Fatal(err)
		}
		if problems := Grammar(client.Name, events); len(problems) > 0 {
			t.Errorf("%s: a sound stream has problems: %q", client.Name, problems)
		}
		blocks := blocksOf(events)
		n := len(blocks)
		last := append(bytes.Clone(blocks[n-1]), "\n\n"...)
		for name, broken := range map[string][][]byte{
			"no end":         blocks[:n-1],
			"end in between": append([][]byte{blocks[0], last}, blocks[1:]...),
			"end twice":      append(append([][]byte(nil), blocks[:n-1]...), last, blocks[n-1]),
			"half":           blocks[:n/2],
			"nothing":        nil,
		} {
			if problems := Grammar(client.Name, bytes.Join(broken, nil)); len(problems) == 0 {
				t.Errorf("%s: %s goes unnoticed", client.Name, name)
			}
		}
	}
}

func TestAsks_EveryRequestIsInTheTable(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, f := range AskFeatures {
		known[f.Name] = true
	}
	for _, client := range Clients() {
		text, err := files.ReadFile("testdata/ask/" + client.Name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "origin: ") {
			t.Errorf("%s does not say where its requests come from", client.Name)
		}
		for line := range strings.Lines(string(text)) {
			title, ok := strings.CutPrefix(line, "-- ")
			name, _, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(title), " --"), " < ")
			if ok && !known[name] {
				t.Errorf("%s shows %q, which is no feature", client.Name, name)
			}
		}
	}
}
