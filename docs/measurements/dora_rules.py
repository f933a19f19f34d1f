#!/usr/bin/env python3
"""The rules of DoRA's row norms in docs/formats.md, held to PyTorch's derivatives; and how far PEFT's gradient, which
holds the norms constant, is from the gradient of a function. Prints the largest differences. Needs torch."""
import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
OUT, IN, RANK, S = 7, 5, 3, 0.7
W, A, B = torch.randn(OUT, IN), torch.randn(RANK, IN, requires_grad=True), torch.randn(OUT, RANK, requires_grad=True)
DA, DB, NBAR, DNBAR = torch.randn(RANK, IN), torch.randn(OUT, RANK), torch.randn(OUT), torch.randn(OUT)


def norms(a, b):
    return (W + S * b @ a).norm(dim=1)


def adjoint(a, b, nbar):
    return torch.autograd.grad((norms(a, b) * nbar).sum(), (a, b), create_graph=True)


def told(what, *pairs):
    print(what, max((x - y).abs().max().item() for x, y in pairs))


C, G, CD = W @ A.T, A @ A.T, W @ DA.T
P = C + S * B @ G
n = ((W * W).sum(1) + 2 * S * (B * C).sum(1) + S * S * ((B @ G) * B).sum(1)).sqrt()
told("value", (n, norms(A, B)))
dn = S * (DB * P + B * (CD + S * B @ (A @ DA.T))).sum(1) / n
told("tangent", (dn, torch.autograd.functional.jvp(norms, (A, B), (DA, DB))[1]))
c = (NBAR / n)[:, None]
E = c * B
a_bar, b_bar = S * (E.T @ W + S * (E.T @ B) @ A), S * c * P
told("adjoint", *zip((a_bar, b_bar), adjoint(A, B, NBAR)))
dc = (DNBAR / n)[:, None] - c * (dn / n)[:, None]
dE = dc * B + c * DB
dP = CD + S * (DB @ G + B @ (DA @ A.T + A @ DA.T))
da_bar = S * (dE.T @ W + S * (dE.T @ B + E.T @ DB) @ A + S * (E.T @ B) @ DA)
db_bar = S * (dc * P + c * dP)
told("its tangent", *zip((da_bar, db_bar), torch.autograd.functional.jvp(adjoint, (A, B, NBAR), (DA, DB, DNBAR))[1]))

x, target = torch.randn(4, IN), torch.randn(4, OUT)
SIZES = [RANK * IN, OUT * RANK, OUT]
theta = torch.cat([A.detach().flatten(), B.detach().flatten(), torch.randn(OUT).abs()])


def parts(p):
    a, b, m = p.split(SIZES)
    return a.view(RANK, IN), b.view(OUT, RANK), m


def loss(p, n):
    a, b, m = parts(p)
    return ((x @ (W + S * b @ a).T * (m / n) - target) ** 2).sum()


def of_peft(p):
    return torch.func.grad(loss)(p, norms(*parts(p)[:2]))


for name, matrix in (("PEFT's gradient", torch.func.jacrev(of_peft)(theta)),
                     ("the loss's gradient", torch.func.hessian(lambda p: loss(p, norms(*parts(p)[:2])))(theta))):
    print(name, "asymmetry of its derivative", ((matrix - matrix.T).norm() / matrix.norm()).item())
