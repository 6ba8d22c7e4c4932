package upstream

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/money"
)

// forward passes the answer of a forwarded surface on as what it says it is.
func (a *attempt) forward(res *http.Response) error {
	switch kind := mediaType(res); {
	case isJSON(kind), a.call.Request.Surface == llm.Moderations:
		return a.plain(res)
	case kind == a.call.bridge.Frames().MediaType:
		return a.stream(res)
	case kind == "text/html": // a proxy's or a console's page
		return unexpected(kind, "an answer")
	}
	return a.through(res)
}

// pieces are buffers for answers that are passed through.
var pieces = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// through passes sound, pictures and text on as they come. That the body ends as HTTP
// says it should is all that they have to show for being complete.
func (a *attempt) through(res *http.Response) error {
	buf := pieces.Get().(*[32 << 10]byte) //nolint:forcetypeassert // the pool holds nothing else
	defer pieces.Put(buf)
	body := a.decoded(res)
	ev := llm.Event{Marks: llm.MarkContent, MediaType: contentType(res)}
	for {
		n, err := body.Read(buf[:])
		if n > 0 {
			ev.Raw = buf[:n]
			if err := a.pass(ev); err != nil {
				return err
			}
			ev.MediaType = ""
		}
		switch {
		case err == nil:
		case !errors.Is(err, io.EOF):
			return &llm.Error{Kind: llm.Cut, Message: "the upstream's answer broke off, or cannot be read", Err: err}
		case a.passed:
			return nil
		case strings.HasPrefix(ev.MediaType, "text/"): // nothing was said
			ev.Raw = nil
			return a.pass(ev)
		default:
			return &llm.Error{Kind: llm.Upstream, Message: "the upstream's answer is empty"}
		}
	}
}

func contentType(res *http.Response) string {
	if kind := res.Header.Get("Content-Type"); kind != "" {
		return kind
	}
	return "application/octet-stream"
}

// uncounted is the bill of a call of which nobody said what it used: nothing where
// nothing costs anything, by time where that is what is paid, else unknown.
func (t *Target) uncounted(elapsed time.Duration) money.Cost {
	const much = 1_000_000
	cost := t.Bill(money.Tokens{Input: much, Output: much}, elapsed)
	if cost.State == money.Known && !cost.USD.IsZero() {
		return money.Cost{State: money.Unknown, Price: cost.Price}
	}
	return cost
}
