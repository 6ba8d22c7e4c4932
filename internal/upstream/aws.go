package upstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// bedrockService is what AWS's signatures call Amazon Bedrock, whatever the host's name.
const bedrockService = "bedrock"

// SignAWS makes an Endpoint.Sign that signs requests to Amazon Bedrock with AWS's Signature
// Version 4 (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html). The key is
// "ACCESS:SECRET", or "ACCESS:SECRET:SESSION" for temporary credentials; without a region, that of
// the request's host counts. A bearer token (AWS_BEARER_TOKEN_BEDROCK) needs no signature:
// it is an ordinary Authorization header.
func SignAWS(key, region string, now func() time.Time) (func(r *http.Request, body []byte) error, error) {
	part := strings.SplitN(key, ":", 3)
	if len(part) < 2 || part[0] == "" || part[1] == "" {
		return nil, errors.New(`an AWS key is ACCESS:SECRET or ACCESS:SECRET:SESSION; a Bedrock API key (bearer token) is written without colons`)
	}
	credentials := aws.Credentials{AccessKeyID: part[0], SecretAccessKey: part[1]}
	if len(part) == 3 {
		credentials.SessionToken = part[2]
	}
	signer := v4.NewSigner()
	return func(r *http.Request, body []byte) error {
		at := region
		if at == "" {
			if at = RegionOfAWS(r.URL.Hostname()); at == "" {
				return errors.New("the AWS region is not in the host's name " + r.URL.Hostname() + ": set it in the target's configuration")
			}
		}
		sum := sha256.Sum256(body)
		return signer.SignHTTP(context.WithoutCancel(r.Context()), credentials, r, hex.EncodeToString(sum[:]), bedrockService, at, now())
	}, nil
}

// RegionOfAWS finds the region in a host's name such as bedrock-runtime.eu-west-1.amazonaws.com, its
// FIPS, dual-stack and VPC forms included; "" where there is none.
func RegionOfAWS(host string) string {
	labels := strings.Split(strings.ToLower(host), ".")
	for i := 1; i < len(labels)-1; i++ {
		if strings.HasPrefix(labels[i-1], "bedrock") && strings.Count(labels[i], "-") >= 2 {
			return labels[i]
		}
	}
	return ""
}
