package llm

import (
	"errors"
	"time"
)

// Kind is what went wrong, in about as many words as a caller can act on.
type Kind string

// Kinds of errors. What is not known is Upstream when it came from there, and
// Internal when it came from us.
const (
	Invalid      Kind = "invalid"      // the request is wrong
	Unauthorized Kind = "unauthorized" // no key, or a wrong one
	Forbidden    Kind = "forbidden"    // a key that may not do this
	NotFound     Kind = "not_found"    // no such route, model or record
	Budget       Kind = "budget"       // money would run out
	Unpaid       Kind = "unpaid"       // the upstream's account, which is ours, has no money or quota left
	RateLimited  Kind = "rate_limited" // too many requests, ours or the upstream's
	Overloaded   Kind = "overloaded"   // no room now
	TooLong      Kind = "too_long"     // more tokens than the model's context
	TooLarge     Kind = "too_large"    // more bytes than the limit
	Blocked      Kind = "blocked"      // a policy refused it
	Timeout      Kind = "timeout"      // out of time
	Canceled     Kind = "canceled"     // the client went away
	Unsupported  Kind = "unsupported"  // no target can do this
	Cut          Kind = "cut"          // a stream ended without its stop reason
	Upstream     Kind = "upstream"     // unreachable, broken or unreadable
	Internal     Kind = "internal"     // our own fault
)

// Error is the one error type that leaves a room.
type Error struct {
	Kind Kind
	// Message is safe to show to the caller: no secrets, no addresses of ours.
	Message string
	// Param and Code are the caller's field and the machine-readable code, where known.
	Param, Code string
	// Target is the one that failed, "" when it never came so far.
	Target string
	// Status is the upstream's HTTP status, 0 when there was none.
	Status int
	// RetryAfter is what the upstream asked for, 0 when it did not say.
	RetryAfter time.Duration
	// Err is the detail for the log.
	Err error
}

// Error gives the message with the detail for logs.
func (e *Error) Error() string {
	if e.Err == nil {
		return string(e.Kind) + ": " + e.Message
	}
	return string(e.Kind) + ": " + e.Message + ": " + e.Err.Error()
}

// Unwrap gives the detail.
func (e *Error) Unwrap() error { return e.Err }

// Told is the error as clients hear it. What an upstream said of our key, our account
// or our choice of model is its failure to them: nobody is to look for the mistake in
// their own key, money or request.
func (e *Error) Told() *Error {
	switch e.Kind {
	case Unauthorized, Forbidden, NotFound, Unpaid:
		if e.Target != "" {
			told := *e
			told.Kind, told.Param, told.Code = Upstream, "", ""
			return &told
		}
	}
	return e
}

// AsError returns err as an *Error; any other error becomes an Internal one whose
// detail is kept for the log and not shown to the caller.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Kind: Internal, Message: "Fairlead failed while it handled this request; its log has the detail", Err: err}
}

// Class says what to do after a failed attempt.
type Class struct {
	Retry    bool // the same target may succeed a moment later
	Fallback bool // another target may succeed
}

// ClassOf is the table kind → retry or fallback. A request that is itself wrong
// would fail everywhere, so it goes nowhere else; an unknown kind does not either.
func ClassOf(k Kind) Class {
	switch k {
	case RateLimited, Overloaded, Upstream, Cut:
		return Class{Retry: true, Fallback: true}
	case Timeout, Unauthorized, Forbidden, NotFound, TooLong, TooLarge, Unsupported, Budget, Unpaid:
		// Of the upstream: its key, its account, its model, its limits. Ours never get so far. A
		// target that was silent for its whole time is not asked to take as long again.
		return Class{Fallback: true}
	}
	return Class{}
}
