package app

import "net/http"

func (a *App) console() http.Handler { return http.NotFoundHandler() }
