package app

import (
	"slices"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/dialect"
	"github.com/fairlead/fairlead/internal/llm"
	"github.com/fairlead/fairlead/internal/server"
	"github.com/fairlead/fairlead/internal/upstream"
)

// matrix fills in what a target can do and how each client reaches it.
func (b *builder) matrix(t *config.Target, d *server.Detail) {
	can := b.abilities(t)
	target := &upstream.Target{Options: llm.Options{Model: t.Model}}
	for _, name := range append([]string{t.Dialect}, also(t)...) {
		if codec, ok := dialect.ByName(name); ok {
			target.Speaks = append(target.Speaks, upstream.Spoken{Codec: codec})
			d.Dialects = append(d.Dialects, name)
		}
	}
	for _, client := range dialect.Clients() {
		d.Clients = append(d.Clients, ways(target, client, can)...)
	}
	for _, name := range (^llm.Ability(0)).Names() {
		if name != "tools_grammar" {
			d.Can = append(d.Can, server.Can{Ability: name, State: stateOf(name, can, d.Assumed && !slices.Contains(t.Abilities.Add, name))})
		}
	}
}

func also(t *config.Target) (names []string) {
	for _, a := range t.Also {
		names = append(names, a.Dialect)
	}
	return names
}

// ways are those of one client, for what both sides know; one that says None where there
// is nothing.
func ways(target *upstream.Target, client string, can llm.Ability) (out []server.Way) {
	asks := server.Asks(client)
	for _, surface := range asks {
		req := &llm.Request{Surface: surface}
		spoken := target.Spoken(client, req)
		if !can.Has(surface.Needed()) || spoken.Codec.Path(req, target.Options) == "" {
			continue
		}
		way := server.Way{Dialect: client, Surface: string(surface), How: server.Translated, To: spoken.Codec.Name}
		if way.To == client {
			way.How = server.Forwarded
		}
		out = append(out, way)
	}
	if len(out) == 0 && len(asks) > 0 {
		out = append(out, server.Way{Dialect: client, Surface: string(asks[0]), How: server.None})
	}
	return out
}

func stateOf(ability string, can llm.Ability, assumed bool) string {
	bit, _ := llm.AbilityNamed(ability)
	switch {
	case bit == llm.CanTools && can&(llm.CanTools|llm.CanToolsByGrammar) == llm.CanToolsByGrammar:
		return server.ByGrammar
	case !can.Has(bit):
		return server.No
	case assumed:
		return server.Assumed
	}
	return server.Yes
}
