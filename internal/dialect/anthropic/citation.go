package anthropic

import (
	"github.com/go-json-experiment/json"

	"github.com/fairlead/fairlead/internal/llm"
)

// citation is a citation of any kind, as it is read.
type citation struct {
	Type     string `json:"type"`
	Text     string `json:"cited_text"`
	Title    string `json:"title"`
	DocTitle string `json:"document_title"`
	URL      string `json:"url"`
	Source   string `json:"source"` // of a search_result
	Document *int   `json:"document_index"`
	Start    int    `json:"start_char_index"`
	End      int    `json:"end_char_index"`
}

func readCitations(list rawJSON) (out []llm.Citation) {
	var items []rawJSON
	if list.Kind() != '[' || json.Unmarshal(list, &items) != nil {
		return nil
	}
	for _, raw := range items {
		out = append(out, readCitation(raw))
	}
	return out
}

// readCitation reads a citation. One of a kind that is not known keeps its bytes.
func readCitation(raw []byte) llm.Citation {
	var in citation
	_ = json.Unmarshal(raw, &in) // what it cannot read stays empty
	c := llm.Citation{Quote: in.Text, Title: in.DocTitle, Document: -1, Raw: append([]byte(nil), raw...), Dialect: Name}
	switch in.Type {
	case "web_search_result_location":
		c.Kind, c.Title, c.URL = "web", in.Title, in.URL
	case "search_result_location":
		c.Kind, c.Title, c.URL = "search_result", in.Title, in.Source
	case "char_location":
		c.Kind, c.Start, c.End, c.Of = "document", in.Start, in.End, "document"
	default:
		c.Kind = "document"
	}
	if in.Document != nil {
		c.Document = *in.Document
	}
	return c
}

// foreignIndex stands where this dialect's own web search has a proof of what it found.
// A provider would refuse it, so it is taken out on the way back: see Encode.
const foreignIndex = "fairlead.web"

// writeCitation writes a citation. Places are said in characters of a document, or not
// at all; a place in the answer is where the citation stands in its stream.
func writeCitation(c *llm.Citation) (rawJSON, bool) {
	var out any
	switch {
	case c.Dialect == Name:
		return c.Raw, true
	case c.URL != "":
		out = struct {
			Type  string `json:"type"`
			Text  string `json:"cited_text"`
			Index string `json:"encrypted_index"`
			Title string `json:"title"`
			URL   string `json:"url"`
		}{"web_search_result_location", c.Quote, foreignIndex, c.Title, c.URL}
	case c.Document >= 0 && c.Of == "document":
		out = struct {
			Type     string `json:"type"`
			Text     string `json:"cited_text"`
			Document int    `json:"document_index"`
			Title    string `json:"document_title"`
			Start    int    `json:"start_char_index"`
			End      int    `json:"end_char_index"`
		}{"char_location", c.Quote, c.Document, c.Title, c.Start, c.End}
	default:
		return nil, false
	}
	raw, err := json.Marshal(out)
	return raw, err == nil
}
