package cohere

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
	"github.com/fairlead/fairlead/internal/rawjson"
)

// wish is what a rerank request asks of its answer.
type wish struct {
	documents []rawjson.Value
	show      bool // the documents are wanted back
	top       int
}

// wishOf reads a request that was decoded or written here.
func wishOf(req *llm.Request) (w wish) {
	root, _ := rawjson.Lookup(req.Body)
	for name, v := range root.Members() {
		switch {
		case name.Is("documents"):
			for d := range v.Items() {
				w.documents = append(w.documents, d)
			}
		case name.Is("return_documents"):
			w.show, _ = v.Bool()
		case name.Is("top_n"):
			n, _ := v.Int()
			w.top = int(n)
		}
	}
	return w
}

// place is one result of an upstream.
type place struct {
	llm.Rank
	item rawjson.Value
	// common says that item is as clients expect it.
	common bool
}

// rerankAnswer reads an upstream's ranks in any of the forms that are about: results or data with
// relevance_score, or a bare list with score. Clients see results with relevance_score; where an
// upstream has just that, its bytes pass.
func rerankAnswer(req *llm.Request, opt llm.Options, doc *rawjson.Doc) (llm.Event, error) {
	out := llm.Event{Marks: llm.MarkWhole, Raw: doc.Bytes()}
	w := wishOf(req)
	list, isResults := ranksOf(doc.Root())
	if list.Kind() != rawjson.Array {
		return out, noAnswer(doc, "results")
	}
	places, asIs, err := readPlaces(list, &w)
	if err != nil {
		return out, err
	}
	root := doc.Root()
	id, _ := root.Get("id")
	out.AnswerID, _ = id.Str()
	out.Usage = rerankUsage(root)
	counted := !out.Usage.IsZero()
	if counted {
		out.Marks |= llm.MarkUsage
	}
	switch {
	case isResults && asIs:
	case isResults:
		edit := doc.Edit()
		edit.Set(appendPlaces(nil, places, &w), "results")
		if out.Raw, err = edit.Apply(); err != nil {
			return out, &llm.Error{Kind: llm.Upstream, Message: "the upstream's results cannot be edited", Err: err}
		}
	default:
		out.Raw = newAnswer(req, root, out.AnswerID, places, &w)
	}
	if opt.Translate {
		model, _ := root.Get("model")
		a := &llm.Answer{ID: out.AnswerID, Usage: out.Usage, Counted: counted}
		a.Model, _ = model.Str()
		for i := range places {
			a.Ranks = append(a.Ranks, places[i].Rank)
		}
		out.Answer = a
	}
	return out, nil
}

func ranksOf(root rawjson.Value) (list rawjson.Value, isResults bool) {
	if root.Kind() == rawjson.Array {
		return root, false
	}
	if list, ok := root.Get("results"); ok {
		return list, true
	}
	list, _ = root.Get("data")
	return list, false
}

// readPlaces reads results, the best first and no more than were asked for; asIs says that the
// client may see them as they stand.
func readPlaces(list rawjson.Value, w *wish) (places []place, asIs bool, err error) {
	asIs = true
	for item := range list.Items() {
		p := place{item: item, common: true}
		score, ok := item.Get("relevance_score")
		if !ok {
			score, _ = item.Get("score")
			p.common = false
		}
		index, _ := item.Get("index")
		n, whole := index.Int()
		value, isNumber := score.Float()
		if !whole || !isNumber || n < 0 || int(n) >= len(w.documents) || len(places) >= len(w.documents) {
			return nil, false, &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer has a result whose index or score is none of the request's"}
		}
		p.Rank = llm.Rank{Index: int(n), Score: value}
		_, has := item.Get("document")
		asIs = asIs && p.common && (has || !w.show)
		places = append(places, p)
	}
	better := func(a, b place) int { return cmp.Compare(b.Score, a.Score) }
	if !slices.IsSortedFunc(places, better) {
		slices.SortStableFunc(places, better)
		asIs = false
	}
	if w.top > 0 && len(places) > w.top {
		places, asIs = places[:w.top], false
	}
	return places, asIs, nil
}

func appendPlaces(dst []byte, places []place, w *wish) []byte {
	dst = append(dst, '[')
	for i := range places {
		if i > 0 {
			dst = append(dst, ',')
		}
		p := &places[i]
		if _, has := p.item.Get("document"); p.common && (has || !w.show) {
			dst = append(dst, p.item.Raw()...)
			continue
		}
		dst = appendRank(dst, p.Rank, w)
	}
	return append(dst, ']')
}

// appendRank writes a result, with its document where that is wanted.
func appendRank(dst []byte, r llm.Rank, w *wish) []byte {
	dst = strconv.AppendInt(append(dst, `{"index":`...), int64(r.Index), 10)
	dst = strconv.AppendFloat(append(dst, `,"relevance_score":`...), r.Score, 'g', -1, 64)
	if w.show && r.Index < len(w.documents) {
		d := w.documents[r.Index]
		dst = append(dst, `,"document":`...)
		if d.Kind() == rawjson.Object {
			dst = append(dst, d.Raw()...)
		} else {
			dst = append(append(append(dst, `{"text":`...), d.Raw()...), '}')
		}
	}
	return append(dst, '}')
}

// newAnswer is an answer in the common form, with the counts of the upstream as they were.
func newAnswer(req *llm.Request, root rawjson.Value, id string, places []place, w *wish) []byte {
	if id == "" {
		id = "rerank-" + req.ID
	}
	out := rawjson.AppendString([]byte(`{"id":`), id)
	if model, ok := root.Get("model"); ok && model.Kind() == rawjson.String {
		out = append(append(out, `,"model":`...), model.Raw()...)
	}
	out = appendPlaces(append(out, `,"results":`...), places, w)
	for _, name := range [...]string{"meta", "usage"} {
		if v, ok := root.Get(name); ok {
			out = append(append(append(append(out, `,"`...), name...), `":`...), v.Raw()...)
		}
	}
	return append(out, '}')
}

// rerankUsage reads what an answer is billed by: Cohere's search units, or the tokens of the others.
// Where both stand there the units are the bill.
func rerankUsage(root rawjson.Value) money.Tokens {
	if units, ok := root.Path("meta", "billed_units", "search_units"); ok {
		if n, whole := units.Int(); whole && n > 0 && n <= money.MaxTokens {
			return money.Tokens{Requests: n}
		}
	}
	for _, path := range [][]string{
		{"usage", "total_tokens"}, {"usage", "prompt_tokens"}, {"usage", "input_tokens"}, {"meta", "billed_units", "input_tokens"}, {"meta", "tokens", "input_tokens"},
	} {
		v, _ := root.Path(path...)
		if n, whole := v.Int(); whole && n > 0 && n <= money.MaxTokens {
			return money.Tokens{Input: n}
		}
	}
	return money.Tokens{}
}

// WriteAnswer writes a rerank answer in the common form.
func WriteAnswer(req *llm.Request, a *llm.Answer) (body []byte, lost llm.Losses) {
	w := wishOf(req)
	id := a.ID
	if id == "" {
		id = "rerank-" + req.ID
	}
	body = rawjson.AppendString([]byte(`{"id":`), id)
	body = append(body, `,"results":[`...)
	for i, r := range a.Ranks {
		if w.top > 0 && i >= w.top {
			break
		}
		if i > 0 {
			body = append(body, ',')
		}
		body = appendRank(body, r, &w)
	}
	body = append(body, `],"meta":{"api_version":{"version":"2"}`...)
	if n := a.Usage.Requests; n > 0 {
		body = append(strconv.AppendInt(append(body, `,"billed_units":{"search_units":`...), n, 10), '}')
	}
	body = append(body, '}')
	if n := a.Usage.Total(); n > 0 {
		body = strconv.AppendInt(append(body, `,"usage":{"prompt_tokens":`...), a.Usage.TotalInput(), 10)
		body = append(strconv.AppendInt(append(body, `,"total_tokens":`...), n, 10), '}')
	}
	return append(body, '}'), nil
}
