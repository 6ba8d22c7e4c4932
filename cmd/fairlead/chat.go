package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fairlead/fairlead/internal/exchange"
	"github.com/fairlead/fairlead/internal/sse"
)

func chatCommand(r *reach) *cobra.Command {
	var model, system string
	var maxTokens int
	var quiet bool
	cmd := &cobra.Command{
		Use:   "chat [PROMPT]",
		Short: "Talk to a model through Fairlead",
		Long: `Sends PROMPT, or what stands on stdin, and prints the answer as it comes. On a terminal without a
PROMPT it is a conversation that ends with Ctrl-D. The line about route, tokens and cost goes to
stderr.`,
		Example: `  fairlead chat "What is a fairlead?"
  fairlead chat --model smollm2 < question.txt`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if maxTokens < 1 {
				return usage("--max-tokens is %d: it must be at least 1", maxTokens)
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			if model == "" {
				if model, err = c.firstModel(cmd.Context()); err != nil {
					return err
				}
			}
			talk := &conversation{client: c, model: model, maxTokens: maxTokens, out: cmd.OutOrStdout(), quiet: quiet}
			if system != "" {
				talk.messages = append(talk.messages, message{"system", system})
			}
			return talk.start(cmd.Context(), args)
		},
	}
	cmd.Flags().StringVarP(&model, "model", "m", "", "model or target `name` (default: the first that the server offers)")
	cmd.Flags().StringVar(&system, "system", "", "system `prompt`")
	cmd.Flags().IntVar(&maxTokens, "max-tokens", defaultMaxTokens, "most tokens of one answer, `n`; small models may ramble")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "no line about route and cost")
	r.flags(cmd)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	completeFlag(cmd, "model", completeNames(r, offered("model", "target")))
	return cmd
}

// defaultMaxTokens is a long answer for a person, and a minute of a small model's
// time.
const defaultMaxTokens = 1024

func (c *client) firstModel(ctx context.Context) (string, error) {
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := c.get(ctx, "/v1/models", &list); err != nil {
		return "", err
	}
	if len(list.Data) == 0 {
		return "", errors.New("the server has no model yet: `fairlead up --setup` gets a small one, or add a target to fairlead.yaml")
	}
	return list.Data[0].ID, nil
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type conversation struct {
	client    *client
	model     string
	maxTokens int
	messages  []message
	out       io.Writer
	quiet     bool
}

// maxPrompt bounds what is read from stdin.
const maxPrompt = 32 << 20

func (t *conversation) start(ctx context.Context, args []string) error {
	if len(args) == 1 {
		return t.turn(ctx, args[0])
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		prompt, err := io.ReadAll(io.LimitReader(os.Stdin, maxPrompt))
		if err != nil {
			return err
		}
		if strings.TrimSpace(string(prompt)) == "" {
			return usage("there is no prompt: give one as an argument or on stdin")
		}
		return t.turn(ctx, string(prompt))
	}
	lines := bufio.NewScanner(os.Stdin)
	for {
		fmt.Fprint(os.Stderr, "> ")
		if !lines.Scan() {
			fmt.Fprintln(os.Stderr)
			return lines.Err()
		}
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		if err := t.turn(ctx, lines.Text()); err != nil {
			return err
		}
	}
}

// turn asks once and prints the answer as it comes.
func (t *conversation) turn(ctx context.Context, prompt string) error {
	t.messages = append(t.messages, message{"user", prompt})
	res, err := t.client.do(ctx, http.MethodPost, "/v1/chat/completions",
		map[string]any{"model": t.model, "messages": t.messages, "max_completion_tokens": t.maxTokens, "stream": true})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	id := res.Header.Get(headerID)
	text, err := t.print(res.Body)
	if err != nil {
		return withRecord(err, id)
	}
	t.messages = append(t.messages, message{"assistant", text})
	if !t.quiet {
		t.account(ctx, id)
	}
	return nil
}

// chunk is what is read of a streamed chunk.
type chunk struct {
	Choices []struct {
		Delta struct {
			Content string `json:"content"`
		} `json:"delta"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Error *struct {
		Message string `json:"message"`
	} `json:"error"`
}

func (t *conversation) print(body io.Reader) (string, error) {
	var text strings.Builder
	events := sse.NewReader(body, sse.DefaultMaxEvent)
	for {
		ev, err := events.Next()
		if errors.Is(err, io.EOF) {
			_, err = fmt.Fprintln(t.out)
			return text.String(), err
		}
		if err != nil {
			fmt.Fprintln(t.out)
			return "", brokeOff(err)
		}
		var c chunk
		if ev.Comment || string(ev.Data) == "[DONE]" || json.Unmarshal(ev.Data, &c) != nil {
			continue
		}
		if c.Error != nil {
			fmt.Fprintln(t.out)
			return "", &exitError{exitRefused, errors.New(c.Error.Message)}
		}
		for _, choice := range c.Choices {
			text.WriteString(choice.Delta.Content)
			if _, err := io.WriteString(t.out, choice.Delta.Content); err != nil {
				return "", err
			}
			if choice.FinishReason == "length" {
				defer fmt.Fprintln(os.Stderr, dim(fmt.Sprintf("(the answer ends at a limit of tokens; --max-tokens is %d)", t.maxTokens)))
			}
		}
	}
}

func brokeOff(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &exitError{exitRefused, fmt.Errorf("the answer broke off: %w", err)}
}

// account prints what the record says of the exchange. The answer was given
// already, so a record that cannot be read is only said.
func (t *conversation) account(ctx context.Context, id string) {
	var x exchange.Exchange
	if err := t.client.get(ctx, "/v1/exchanges/"+id, &x); err != nil {
		fmt.Fprintln(os.Stderr, dim("(the record of "+id+" cannot be read: "+err.Error()+")"))
		return
	}
	fmt.Fprintln(os.Stderr, dim(fmt.Sprintf("%s · %s · %d in, %d out · first token %s, total %s · %s",
		x.Result.Target, x.Result.Route, x.Bill.Usage.TotalInput(), x.Bill.Usage.TotalOutput(),
		x.FirstByte.Round(time.Millisecond), x.Total.Round(time.Millisecond), costText(x.Bill.Cost))))
}
