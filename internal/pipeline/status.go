package pipeline

import (
	"net/http"

	"github.com/fairlead/fairlead/internal/llm"
)

// StatusClientGone is what is recorded for a client that left; nobody sees it.
const StatusClientGone = 499

// statusOf is the table kind → HTTP status, for errors of our own.
var statusOf = map[llm.Kind]int{
	llm.Invalid:      http.StatusBadRequest,
	llm.Unauthorized: http.StatusUnauthorized,
	llm.Forbidden:    http.StatusForbidden,
	llm.NotFound:     http.StatusNotFound,
	llm.Budget:       http.StatusPaymentRequired,
	llm.RateLimited:  http.StatusTooManyRequests,
	llm.Overloaded:   http.StatusServiceUnavailable,
	llm.TooLong:      http.StatusBadRequest,
	llm.TooLarge:     http.StatusRequestEntityTooLarge,
	llm.Blocked:      http.StatusForbidden,
	llm.Timeout:      http.StatusGatewayTimeout,
	llm.Canceled:     StatusClientGone,
	llm.Unsupported:  http.StatusBadRequest,
	llm.Cut:          http.StatusBadGateway,
	llm.Upstream:     http.StatusBadGateway,
	llm.Internal:     http.StatusInternalServerError,
}

// HTTPStatus is the status that a client sees for an error before any output. What
// the upstream said of the request itself is kept.
func HTTPStatus(e *llm.Error) int {
	e = e.Told()
	if e.Target != "" {
		switch e.Kind {
		case llm.Invalid, llm.TooLong, llm.TooLarge:
			if e.Status == http.StatusUnprocessableEntity || e.Status == http.StatusBadRequest || e.Status == http.StatusRequestEntityTooLarge {
				return e.Status
			}
		}
	}
	if status, ok := statusOf[e.Kind]; ok {
		return status
	}
	return http.StatusInternalServerError
}
