package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
)

// Bounds of what is kept about those who sign in.
const (
	sessionLife   = 12 * time.Hour
	maxSessions   = 1000 // then the oldest ends
	triesPerMin   = 20   // wrong keys, of all visitors together
	sessionCookie = "fairlead_console"
)

// session is one browser that is signed in.
type session struct {
	caller  auth.Caller
	expires time.Time
}

// tokenHash stands for a session's token, which only the browser keeps.
type tokenHash [sha256.Size]byte

// sessions are those who are signed in. They end with the process.
type sessions struct {
	mu     sync.Mutex
	byHash map[tokenHash]session
}

func newSessions() *sessions { return &sessions{byHash: map[tokenHash]session{}} }

// begin makes a session and gives its token: 256 random bits.
func (s *sessions) begin(c auth.Caller, now time.Time) string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails (crypto/rand, since Go 1.24)
	token := base64.RawURLEncoding.EncodeToString(raw[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoomLocked(now)
	s.byHash[sha256.Sum256([]byte(token))] = session{caller: c, expires: now.Add(sessionLife)}
	return token
}

// makeRoomLocked removes what has expired and, if that is not enough, the oldest.
func (s *sessions) makeRoomLocked(now time.Time) {
	var oldest tokenHash
	var first time.Time
	for h, have := range s.byHash {
		if !now.Before(have.expires) {
			delete(s.byHash, h)
		} else if first.IsZero() || have.expires.Before(first) {
			oldest, first = h, have.expires
		}
	}
	if len(s.byHash) >= maxSessions {
		delete(s.byHash, oldest)
	}
}

// find gives the session of a token. That a map look-up takes no constant time tells
// nothing: what is looked up is a digest, which nobody can steer.
func (s *sessions) find(token string, now time.Time) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, ok := s.byHash[sha256.Sum256([]byte(token))]
	return have, ok && now.Before(have.expires)
}

func (s *sessions) end(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byHash, sha256.Sum256([]byte(token)))
}

// tries counts wrong keys per minute.
type tries struct {
	mu    sync.Mutex
	since time.Time
	wrong int
}

// allowed reports whether another key may be tried.
func (t *tries) allowed(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.since) >= time.Minute {
		t.since, t.wrong = now, 0
	}
	return t.wrong < triesPerMin
}

func (t *tries) failed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wrong++
}
