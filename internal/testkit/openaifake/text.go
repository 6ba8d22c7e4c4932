package openaifake

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// pieces is text in the parts that a stream sends, computed on demand so that a million of them cost no memory.
type pieces struct {
	n  int
	at func(int) string
}

func (p pieces) String() string {
	var text strings.Builder
	for i := range p.n {
		text.WriteString(p.at(i))
	}
	return text.String()
}

// spoken chooses the text that the knobs and the request ask for.
func spoken(knobs Knobs, body []byte, usual string) pieces {
	switch {
	case knobs.Words > 0:
		return pieces{knobs.Words, func(int) string { return "word " }}
	case knobs.Huge > 0:
		whole := strings.Repeat("a", knobs.Huge)
		return pieces{1, func(int) string { return whole }}
	case knobs.Echo:
		return split(string(body))
	case knobs.Say != "":
		return split(knobs.Say)
	default:
		return split(usual)
	}
}

// split breaks text before each run of white space, losing nothing.
func split(text string) pieces {
	var parts []string
	start, inSpace := 0, true
	for i, r := range text {
		space := unicode.IsSpace(r)
		if space && !inSpace {
			parts = append(parts, text[start:i])
			start = i
		}
		inSpace = space
	}
	return list(append(parts, text[start:]))
}

// chop breaks text into parts of at most size bytes, never inside a character.
func chop(text string, size int) pieces {
	var parts []string
	for len(text) > size {
		end := size
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		parts = append(parts, text[:end])
		text = text[end:]
	}
	return list(append(parts, text))
}

func list(parts []string) pieces {
	return pieces{len(parts), func(i int) string { return parts[i] }}
}

// limit applies stop sequences and a token bound (0 for none) and returns the finish reason.
func limit(p pieces, stops []string, most int) (pieces, string) {
	if len(stops) > 0 {
		text := p.String()
		end := len(text)
		for _, stop := range stops {
			if at := strings.Index(text, stop); stop != "" && at >= 0 && at < end {
				end = at
			}
		}
		if end < len(text) {
			p = split(text[:end])
		}
	}
	if most > 0 && p.n > most {
		return pieces{most, p.at}, "length"
	}
	return p, "stop"
}

// countTokens stands in for a tokenizer: words, and four for what frames a message.
func countTokens(texts ...string) int {
	count := 0
	for _, text := range texts {
		count += 4 + len(strings.Fields(text))
	}
	return count
}
