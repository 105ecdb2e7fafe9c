# Meta-analysis by metafor: Rscript meta_analysis.R > meta_analysis.json   (R 4.2.2, metafor 3.8-1)
# Data sets: 13 trials of BCG vaccine (Colditz et al. 1994), log risk ratios; 22 trials of magnesium after a myocardial infarction (Li et al.
# 2007), log odds ratios; two made-up studies; four that agree more than chance would have it.
suppressMessages(library(metafor))
bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
magnesium <- escalc(measure = "OR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.li2007)
cases <- list(
  bcg = list(y = as.numeric(bcg$yi), v = as.numeric(bcg$vi)),
  magnesium = list(y = as.numeric(magnesium$yi), v = as.numeric(magnesium$vi)),
  two = list(y = c(-0.32, -0.05), v = c(0.01, 0.03)),
  near = list(y = c(-0.31, -0.29, -0.33, -0.30), v = c(0.04, 0.02, 0.05, 0.03))
)
show <- function(x) paste0("[", paste(ifelse(is.finite(x), sprintf("%.15g", x), "null"), collapse = ", "), "]")
parts <- c()
add <- function(name, x) parts <<- c(parts, sprintf('  "%s": %s', name, show(x)))
for (name in names(cases)) {
  y <- cases[[name]]$y
  v <- cases[[name]]$v
  add(paste(name, "y"), y)
  add(paste(name, "se"), sqrt(v))
  fixed <- rma(y, v, method = "FE")
  add(paste(name, "fixed"), c(fixed$beta, fixed$se, fixed$ci.lb, fixed$ci.ub, fixed$pval))
  random <- rma(y, v, method = "DL")
  add(paste(name, "wald"), c(random$beta, random$se, random$ci.lb, random$ci.ub, random$pval))
  for (test in c("knha", "adhoc")) {
    hk <- rma(y, v, method = "DL", test = test)
    add(paste(name, test), c(hk$beta, hk$se, hk$ci.lb, hk$ci.ub, hk$pval))
  }
  profile <- confint(random, control = list(tol = 1e-14, maxiter = 10000))$random
  add(paste(name, "heterogeneity"), c(random$tau2, random$I2 / 100, random$QE, random$QEp))
  add(paste(name, "profile"), c(profile["tau^2", 2:3], profile["I^2(%)", 2:3] / 100))
  if (length(y) > 2) {
    predicted <- predict(rma(y, v, method = "DL", test = "t", dfs = length(y) - 2))
    add(paste(name, "prediction"), c(predicted$pi.lb, predicted$pi.ub))
  }
  left <- leave1out(random)
  add(paste(name, "left out"), c(left$estimate, left$se))
}
cat("{\n", paste(parts, collapse = ",\n"), "\n}\n", sep = "")
