package dialecttest

import "fmt"

// converseFacts reads a request of a dialect that no client speaks.
func converseFacts(name string, _ []byte) ([]Fact, error) {
	return nil, fmt.Errorf("the kit cannot read requests of %s", name)
}
