package gemini

import (
	"strconv"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// citations reads where a candidate's words come from: what it recites, and what it
// was grounded in. Both count bytes of the text.
func (d *deltas) citations(i int, b *choiceBlocks, candidate rawjson.Value) {
	var all []llm.Citation
	for name, v := range candidate.Members() {
		switch {
		case name.Is("citationMetadata"):
			all = append(all, b.recited(v)...)
		case name.Is("groundingMetadata"):
			all = append(all, b.grounded(v)...)
		}
	}
	fresh := all[:0]
	for _, c := range all {
		if len(b.cited) < maxCited && !b.cites(c) {
			fresh = append(fresh, c)
		}
	}
	if len(fresh) == 0 {
		return
	}
	if b.kind != llm.Text {
		d.open(i, b, llm.Part{Kind: llm.Text})
	}
	d.add(llm.Delta{Kind: llm.DeltaCite, Choice: i, Block: b.open, Part: llm.Part{Citations: fresh}})
}

// recited reads citationMetadata, whose list Vertex AI calls citations.
func (b *choiceBlocks) recited(v rawjson.Value) (out []llm.Citation) {
	list, ok := v.Get("citationSources")
	if !ok {
		list, _ = v.Get("citations")
	}
	for item := range list.Items() {
		out = append(out, b.citation(item, item))
	}
	return out
}

// grounded reads groundingMetadata: each support names the chunks that it rests on.
func (b *choiceBlocks) grounded(v rawjson.Value) (out []llm.Citation) {
	list, _ := v.Get("groundingChunks")
	var chunks []rawjson.Value
	for chunk := range list.Items() {
		for _, source := range chunk.Fields() { // web, retrievedContext, maps, …
			chunks = append(chunks, source)
			break
		}
		if len(chunks) == maxCited {
			break
		}
	}
	supports, _ := v.Get("groundingSupports")
	for support := range supports.Items() {
		segment, _ := support.Get("segment")
		indexes, _ := support.Get("groundingChunkIndices")
		for index := range indexes.Items() {
			if n, ok := index.Int(); ok && n >= 0 && n < int64(len(chunks)) && len(out) < maxCited {
				out = append(out, b.citation(chunks[n], segment))
			}
		}
	}
	if len(out) == 0 {
		for _, chunk := range chunks {
			out = append(out, b.citation(chunk, rawjson.Value{}))
		}
	}
	return out
}

func (b *choiceBlocks) citation(source, segment rawjson.Value) llm.Citation {
	c := llm.Citation{Kind: "web", Document: -1, Of: "answer"}
	uri, _ := source.Get("uri")
	title, _ := source.Get("title")
	quote, _ := source.Get("text") // of a retrieved context
	from, _ := segment.Get("startIndex")
	to, _ := segment.Get("endIndex")
	c.URL, _ = uri.Str()
	c.Title, _ = title.Str()
	c.Quote, _ = quote.Str()
	start, _ := from.Int()
	end, _ := to.Int()
	if start >= 0 && start < end && end <= int64(len(b.said)) {
		c.Start = utf8.RuneCount(b.said[:start])
		c.End = c.Start + utf8.RuneCount(b.said[start:end])
	}
	return c
}

// cites reports whether a citation came before, and remembers it.
func (b *choiceBlocks) cites(c llm.Citation) bool {
	key := citeKey{c.URL, c.Title, c.Start, c.End}
	if b.cited[key] {
		return true
	}
	if b.cited == nil {
		b.cited = make(map[citeKey]bool)
	}
	b.cited[key] = true
	return false
}

type citeKey struct {
	url, title string
	start, end int
}

// shownCitations are the citations of a candidate as its groundingMetadata will have
// them, with positions in bytes of the text so far.
type shownCitations struct {
	chunks   []byte // elements of groundingChunks
	supports []byte // of groundingSupports
	count    int
	indexes  map[string]int // chunks by address and title
}

// add takes a citation; said is the text that it counts in. It reports whether there
// is a way to show it.
func (s *shownCitations) add(c *llm.Citation, said []byte) bool {
	if c.URL == "" || s.count >= maxCited {
		return false
	}
	key := c.URL + "\x00" + c.Title
	index, known := s.indexes[key]
	if !known {
		if s.indexes == nil {
			s.indexes = make(map[string]int)
		}
		index = s.count
		s.indexes[key] = index
		s.count++
		s.chunks = rawjson.AppendString(append(separated(s.chunks), `{"web":{"uri":`...), c.URL)
		s.chunks = append(rawjson.AppendString(append(s.chunks, `,"title":`...), c.Title), "}}"...)
	}
	if c.Of == "answer" && c.End > c.Start {
		from, to := byteOf(said, c.Start), byteOf(said, c.End)
		s.supports = append(separated(s.supports), `{"segment":{"startIndex":`...)
		s.supports = append(strconv.AppendInt(s.supports, int64(from), 10), `,"endIndex":`...)
		s.supports = append(strconv.AppendInt(s.supports, int64(to), 10), `,"text":`...)
		s.supports = append(rawjson.AppendBytes(s.supports, said[from:to]), `},"groundingChunkIndices":[`...)
		s.supports = append(strconv.AppendInt(s.supports, int64(index), 10), "]}"...)
	}
	return true
}

func separated(list []byte) []byte {
	if len(list) == 0 {
		return list
	}
	return append(list, ',')
}

// byteOf is where the character of that number begins.
func byteOf(text []byte, character int) int {
	at := 0
	for ; character > 0 && at < len(text); character-- {
		_, size := utf8.DecodeRune(text[at:])
		at += size
	}
	return at
}

// append writes the field behind others.
func (s *shownCitations) append(dst []byte) []byte {
	if s.count == 0 {
		return dst
	}
	dst = append(append(dst, `,"groundingMetadata":{"groundingChunks":[`...), s.chunks...)
	dst = append(append(dst, `],"groundingSupports":[`...), s.supports...)
	return append(dst, "]}"...)
}
