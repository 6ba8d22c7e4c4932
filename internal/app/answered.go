package app

import (
	"context"

	"github.com/fairlead/fairlead/internal/ledger"
)

// answeredBy finds the target of an answer in the record: a conversation that lies at
// one account goes on there.
func (a *App) answeredBy(ctx context.Context, keyID, answerID string) (target string, ok bool) {
	x, err := a.ledger.Get(ctx, answerID, ledger.OfKey(keyID))
	if err != nil {
		return "", false // not ours, or too old: the upstream says what it makes of it
	}
	return x.Result.Target, true
}
