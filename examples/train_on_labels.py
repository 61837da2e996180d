"""A network of your own, trained on a run's labels with nothing of boxgp but the data set and the losses.

``boxgp run demo``, then ``python examples/train_on_labels.py outputs/demo``. From the mean position and colour of each
region it learns which regions belong to the object that someone clicked on, and how sure that is; the last scene is
kept for validation.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor, nn

from boxgp import LabelledScan, LabelledScenes, balanced_mean, gaussian_kl, mask_bce, mask_dice, mask_iou


def region_features(scan: LabelledScan) -> Tensor:
    """Mean xyz and colour of each region, [S, 6]."""
    if scan.xyz is None or scan.color is None:
        raise SystemExit(f"{scan.scene} has no points or no colours: name their folder, LabelledScenes(..., scans=...)")
    total = torch.zeros(len(scan.ignore), 6).index_add(0, scan.superpoint, torch.cat([scan.xyz, scan.color], dim=1))
    return total / torch.bincount(scan.superpoint, minlength=len(total))[:, None]


class ClickNetwork(nn.Module):
    """Mask, mean and log-variance, over all regions, of the object that each clicked region is part of."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        hidden = [nn.Linear(13, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
        self.layers = nn.Sequential(*hidden, nn.Linear(width, 3))

    def forward(self, feature: Tensor, clicked: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Three times [Q, S] for Q clicked regions."""
        one, other = feature[clicked][:, None].expand(-1, len(feature), -1), feature[None].expand(len(clicked), -1, -1)
        between = (other - one).abs()
        distance = between[..., :3].norm(dim=2, keepdim=True)
        seen = [between, distance, one[..., 2:], other[..., 2:3], -10.0 * distance.square()]
        logit, mean, log_variance = self.layers(torch.cat(seen, dim=2)).unbind(dim=2)
        return logit, mean.sigmoid(), log_variance - 3.0  # variances of labels are small


def evaluate(network: ClickNetwork, scan: LabelledScan, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Loss, and mean IoU of the objects, after a click on a random region of each."""
    clicked = torch.multinomial(scan.mask.float(), 1, generator=random).squeeze(1)
    use = ~scan.ignore
    logit, mean, log_variance = (one[:, use] for one in network(region_features(scan), clicked))
    mask, label, determined = scan.mask[:, use], scan.mean[:, use], scan.determined[use]
    kl = balanced_mean(gaussian_kl(mean, log_variance, label, scan.variance[:, use], determined), label, determined)
    loss = 5.0 * mask_bce(logit, mask).mean() + 2.0 * mask_dice(logit, mask).mean() + kl
    return loss, mask_iou(logit, mask).mean()


def train(run: str, steps: int = 300) -> list[tuple[float, float]]:
    """Loss and mean IoU in the scene for validation, before training and after each tenth of it."""
    random = torch.manual_seed(0)
    *scans, kept = [scan for scan in LabelledScenes(run) if len(scan.mask)]
    network, history = ClickNetwork(), []
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.005)
    for step in range(steps + 1):
        if step % max(steps // 10, 1) == 0:
            with torch.no_grad():
                loss, iou = evaluate(network, kept, torch.Generator().manual_seed(0))
            history.append((float(loss), float(iou)))
            print(f"step {step:4d}  loss {loss:6.3f}  IoU {iou:.3f}", flush=True)
        optimizer.zero_grad()
        evaluate(network, scans[step % len(scans)], random)[0].backward()
        optimizer.step()
    return history


if __name__ == "__main__":
    train(sys.argv[1])
