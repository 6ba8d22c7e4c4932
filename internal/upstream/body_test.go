package upstream

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"testing/iotest"

	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/rawjson"
)

func TestSending_ReadsItsPiecesInOrder(t *testing.T) {
	t.Parallel()
	for _, pieces := range []rawjson.Segments{
		nil, {nil}, {[]byte("one")}, {nil, []byte("one "), nil, nil, []byte("two, and a longer third"), nil},
	} {
		var call Call
		if err := iotest.TestReader(call.lend(pieces), bytes.Join(pieces, nil)); err != nil {
			t.Errorf("%q: %v", pieces, err)
		}
	}
}

// A transport may answer before it has sent the whole body (http.RoundTripper): until
// it closes the body, nobody may use its bytes again.
func TestCall_LendsTheBodyUntilTheTransportClosesIt(t *testing.T) {
	t.Parallel()
	var body io.Closer
	call := newCall(request(t, llm.Chat, plainBody), over("late", roundTrip(func(r *http.Request) (*http.Response, error) {
		body = r.Body
		return jsonAnswer(r, http.StatusOK, plainText), nil
	})))
	if got := listen(t.Context(), call); got.err != nil {
		t.Fatal(got.err)
	}
	if !call.BodyLent() {
		t.Error("the body is free while the transport has it")
	}
	for range 2 { // transports close more than once
		_ = body.Close()
	}
	if call.BodyLent() || call.lent.Load() != 0 {
		t.Errorf("%d bodies are lent after the last was closed", call.lent.Load())
	}
}

func TestPlainHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{"127.0.0.1:8080": true, "[::1]:80": true, "gpu-1.lan": true, "[fe80::1%eth0]:80": false, "münchen.example": false} {
		if got := plainHost(host); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
}
