package embed

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxTokenizer bounds a tokenizer file, maxVocab the tokens in it.
const (
	maxTokenizer = 64 << 20
	maxVocab     = 1 << 20
)

// mark stands for a space inside tokens (U+2581); space is the same as a string.
const (
	mark  = '\u2581'
	space = string(mark)
)

// Tokenizer is the byte-pair encoder of Llama 2, as a tokenizer JSON of the
// Hugging Face kind describes it: spaces become marks, one mark goes in front,
// characters outside the vocabulary become their bytes, and the pair of lowest
// rank is merged until no pair is left. Safe for concurrent use.
type Tokenizer struct {
	chars    map[rune]int32
	merges   map[pair]merge
	bytes    [256]int32
	specials []special
	size     int
}

// pair is two neighbours in one number, for which Go's maps are quickest.
type pair uint64

func pairOf(left, right int32) pair { return pair(uint32(left))<<32 | pair(uint32(right)) }

// merge is what becomes of a pair, and how early.
type merge struct{ rank, id int32 }

// special is a token that is looked for in the raw text, before anything else.
type special struct {
	text string
	id   int32
}

// tokenizerJSON is the part of the file that is used. What would change the
// result and is not implemented is refused in check.
type tokenizerJSON struct {
	Added []struct {
		ID         int32  `json:"id"`
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
	} `json:"added_tokens"`
	Normalizer struct {
		Normalizers []struct {
			Type    string `json:"type"`
			Prepend string `json:"prepend"`
			Content string `json:"content"`
		} `json:"normalizers"`
	} `json:"normalizer"`
	PreTokenizer any `json:"pre_tokenizer"`
	Model        struct {
		Type         string           `json:"type"`
		ByteFallback bool             `json:"byte_fallback"`
		Vocab        map[string]int32 `json:"vocab"`
		Merges       []string         `json:"merges"`
	} `json:"model"`
}

// OpenTokenizer reads a tokenizer JSON.
func OpenTokenizer(path string) (*Tokenizer, error) {
	b, err := readFile(path, maxTokenizer)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	t, err := ParseTokenizer(b)
	if err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", path, err)
	}
	return t, nil
}

// ParseTokenizer reads the content of a tokenizer JSON. A file that asks for
// steps other than those of Tokenizer is refused: it would give wrong vectors.
func ParseTokenizer(b []byte) (*Tokenizer, error) {
	var f tokenizerJSON
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	t := &Tokenizer{
		chars:  make(map[rune]int32),
		merges: make(map[pair]merge, len(f.Model.Merges)),
	}
	for text, id := range f.Model.Vocab {
		if id < 0 || id >= maxVocab {
			return nil, fmt.Errorf("token %q has id %d, outside 0–%d", text, id, maxVocab-1)
		}
		t.size = max(t.size, int(id)+1)
		if r, n := utf8.DecodeRuneInString(text); n == len(text) {
			t.chars[r] = id
		}
	}
	for i := range t.bytes {
		id, ok := f.Model.Vocab[fmt.Sprintf("<0x%02X>", i)]
		if !ok {
			return nil, fmt.Errorf("no token for byte 0x%02X", i)
		}
		t.bytes[i] = id
	}
	for _, a := range f.Added {
		t.specials = append(t.specials, special{text: a.Content, id: a.ID})
		t.size = max(t.size, int(a.ID)+1)
	}
	return t, t.addMerges(f.Model.Vocab, f.Model.Merges)
}

func (f *tokenizerJSON) check() error {
	m := f.Model
	if m.Type != "BPE" || !m.ByteFallback || f.PreTokenizer != nil {
		return fmt.Errorf("want byte-pair encoding with byte fallback and no pre-tokenizer, got type %q", m.Type)
	}
	n := f.Normalizer.Normalizers
	if len(n) != 2 || n[0].Type != "Prepend" || n[0].Prepend != space || n[1].Type != "Replace" || n[1].Content != space {
		return errors.New("want a normalizer that prepends the space mark and replaces spaces by it")
	}
	for _, a := range f.Added {
		if a.Content == "" || a.ID < 0 || a.ID >= maxVocab || a.SingleWord || a.LStrip || a.RStrip || a.Normalized {
			return fmt.Errorf("added token %q (%d) has a property that is not supported", a.Content, a.ID)
		}
	}
	return nil
}

// addMerges fills the table of merges. Append cuts text in front of each mark
// that follows something else, which is right only while no token crosses such
// a place, so that is checked here.
func (t *Tokenizer) addMerges(vocab map[string]int32, merges []string) error {
	for rank, m := range merges {
		left, right, ok := strings.Cut(m, " ")
		if !ok {
			return fmt.Errorf("merge %d is not a pair: %q", rank, m)
		}
		l, okLeft := vocab[left]
		r, okRight := vocab[right]
		id, okBoth := vocab[left+right]
		if !okLeft || !okRight || !okBoth {
			return fmt.Errorf("merge %d speaks of tokens that do not exist: %q", rank, m)
		}
		if strings.Contains(strings.TrimLeft(left+right, space), space) {
			return fmt.Errorf("merge %d joins words, which is not supported: %q", rank, m)
		}
		t.merges[pairOf(l, r)] = merge{rank: int32(rank), id: id}
	}
	return nil
}

// Size is one more than the highest token id.
func (t *Tokenizer) Size() int { return t.size }

// Count is the number of tokens in text, without a start token.
func (t *Tokenizer) Count(text string) int { return len(t.Append(nil, text)) }

// Append appends the tokens of text to ids, without a start token. Invalid UTF-8
// counts as U+FFFD.
func (t *Tokenizer) Append(ids []int32, text string) []int32 {
	var w word
	for text != "" {
		plain, sp := t.nextSpecial(text)
		if plain != "" {
			ids = t.appendPlain(ids, plain, &w)
		}
		if sp == nil {
			break
		}
		ids = append(ids, sp.id)
		text = text[len(plain)+len(sp.text):]
	}
	return ids
}

// nextSpecial gives the text before the first special token, and that token.
func (t *Tokenizer) nextSpecial(text string) (plain string, found *special) {
	at := len(text)
	for i := range t.specials {
		// The longer one wins where two begin at the same place.
		p := strings.Index(text[:min(len(text), at+len(t.specials[i].text))], t.specials[i].text)
		if p >= 0 && (p < at || (p == at && len(t.specials[i].text) > len(found.text))) {
			at, found = p, &t.specials[i]
		}
	}
	return text[:at], found
}

// appendPlain encodes text without special tokens: mark in front, marks for
// spaces, then word by word, where a word is some marks and what follows them.
func (t *Tokenizer) appendPlain(ids []int32, text string, w *word) []int32 {
	w.reset()
	w.add(t.chars[mark])
	inMarks := true
	for _, r := range text {
		if r == ' ' {
			r = mark
		}
		if r == mark && !inMarks {
			ids = w.encode(ids, t.merges)
			w.reset()
		}
		inMarks = r == mark
		if id, ok := t.chars[r]; ok {
			w.add(id)
			continue
		}
		var char [utf8.UTFMax]byte
		for _, b := range char[:utf8.EncodeRune(char[:], r)] {
			w.add(t.bytes[b])
		}
	}
	return w.encode(ids, t.merges)
}
