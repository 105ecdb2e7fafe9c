# Reference values for the kernels: Rscript kernels.R kernels.csv > kernels.json   (R 4.2.2, survival 3.5-3)
library(survival)
d <- read.csv(commandArgs(trailingOnly = TRUE)[1])
emit <- list()
keep <- function(name, value) emit[[name]] <<- as.vector(value)
precise <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 50)

for (ties in c("efron", "breslow")) {
  for (weighted in c("unweighted", "weighted")) {
    d$w <- if (weighted == "weighted") d$weight else 1
    fit <- coxph(Surv(time, event) ~ treated + x, data = d, weights = w, robust = TRUE, ties = ties, control = precise)
    clustered <- coxph(Surv(time, event) ~ treated + x, data = d, weights = w, cluster = cluster, ties = ties, control = precise)
    name <- paste("cox", ties, weighted)
    keep(paste(name, "coefficients"), coef(fit))
    keep(paste(name, "naive"), fit$naive.var)
    keep(paste(name, "robust"), fit$var)
    keep(paste(name, "clustered"), clustered$var)
    keep(paste(name, "log-likelihood"), fit$loglik[2])
  }
}
zero <- data.frame(treated = 0, x = 0)
hazard <- survfit(fit, newdata = zero)                      # the last fit: Breslow, weighted
keep("baseline times", hazard$time[hazard$n.event > 0])
keep("baseline increments", diff(c(0, hazard$cumhaz))[hazard$n.event > 0])
ridge <- coxph(Surv(time, event) ~ ridge(treated, x, theta = 3, scale = FALSE), data = d, control = precise)
keep("ridge coefficients", coef(ridge))
keep("ridge naive", ridge$var)

glm_control <- glm.control(epsilon = 1e-15, maxit = 100)
logistic <- suppressWarnings(glm(treated ~ x, family = binomial, data = d, weights = weight, control = glm_control))
keep("logistic coefficients", coef(logistic))
keep("logistic covariance", vcov(logistic))

for (weighted in c("unweighted", "weighted")) {
  d$w <- if (weighted == "weighted") d$weight else 1
  curve <- survfit(Surv(time, event) ~ 1, data = d, weights = w, conf.type = "log-log", robust = weighted == "weighted")
  shown <- summary(curve, censored = TRUE)
  for (what in c("time", "surv", "std.err", "lower", "upper", "n.risk", "n.event")) keep(paste("curve", weighted, what), shown[[what]])
  # influences at day 8 of survival and of the restricted mean, per arm
  for (measure in c("survival", "rmst")) {
    arms <- survfit(Surv(time, event) ~ treated, data = d, weights = w)
    influence <- resid(arms, times = 8, type = measure) * d$w
    influence[d$treated == 0] <- -influence[d$treated == 0]
    keep(paste(measure, weighted, "standard error"), sqrt(sum(influence^2)))
    keep(paste(measure, weighted, "clustered"), sqrt(sum(tapply(influence, d$cluster, sum)^2)))
    arm_value <- if (measure == "survival") summary(arms, times = 8)$surv else summary(arms, rmean = 8)$table[, "rmean"]
    keep(paste(measure, weighted, "treated - comparator"), diff(arm_value))
  }
}
number <- function(v) ifelse(is.finite(v), formatC(v, digits = 17, format = "g"), "null")
rows <- vapply(names(emit), function(name) sprintf('  "%s": [%s]', name, paste(number(emit[[name]]), collapse = ", ")), "")
cat("{\n", paste(rows, collapse = ",\n"), "\n}\n", sep = "")
